// Rows as an HTTP answer: packed where the client can unpack it, held back by a slow client, cut where something fails
// in the middle, given up where the client leaves.

import type { Transform } from 'node:stream'
import type { Readable } from 'node:stream'
import { constants, createGzip, createZstdCompress } from 'node:zlib'
import { answerRows } from '../data/answer.ts'
import type { Rows, Wish } from '../data/answer.ts'
import type { Params } from '../data/spec.ts'
import { principalOf } from './guard.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'

/** Formats that are packed in themselves, or not worth it. */
const packed = new Set(['parquet'])

/** Who asks, and a signal that comes when the client has gone. */
export function askerOf (request: FastifyRequest, reply: FastifyReply): { readonly principal: Principal, readonly signal: AbortSignal } {
  const left = new AbortController()
  reply.raw.once('close', () => left.abort())
  return { principal: principalOf(request), signal: left.signal }
}

/** Answers with rows; `name` is that of the file which a browser makes of them. */
export async function sendRows<P extends Params> (platform: Platform, request: FastifyRequest, reply: FastifyReply, { name, ...wish }: Omit<Wish<P>, 'tag'> & { readonly name: string }): Promise<FastifyReply> {
  const rows = await answerRows(platform, { ...wish, tag: request.headers['if-none-match'] })
  void reply.headers(rows.headers)
  if (rows.unchanged) return reply.code(304).send()
  void reply.type(rows.contentType).header('vary', 'accept-encoding, authorization, cookie')
  if (wish.format !== 'json') void reply.header('content-disposition', `attachment; filename="${fileName(name)}.${wish.format}"`)
  const encoding = packed.has(wish.format) ? undefined : encodingOf(request)
  if (typeof rows.body === 'string') return encoding === undefined ? reply.send(rows.body) : reply.header('content-encoding', encoding).send(pack(encoding, rows.body))
  return sendStream(reply, rows, rows.body, encoding)
}

function sendStream (reply: FastifyReply, rows: Rows, body: Readable, encoding: Encoding | undefined): FastifyReply {
  if (encoding !== undefined) void reply.header('content-encoding', encoding)
  // Known only when all have gone.
  reply.trailer('x-row-count', (_reply, _payload, done) => done(null, String(rows.rows())))
  return reply.send(encoding === undefined ? body : body.compose(packer(encoding)))
}

type Encoding = 'zstd' | 'gzip'

function encodingOf (request: FastifyRequest): Encoding | undefined {
  const accepted = String(request.headers['accept-encoding'] ?? '').toLowerCase().split(',').filter(part => !/;\s*q=0(?:\.0*)?\s*$/.test(part)).map(part => part.split(';')[0]?.trim())
  return (['zstd', 'gzip'] as const).find(name => accepted.includes(name))
}

function packer (encoding: Encoding): Transform {
  return encoding === 'zstd' ? createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } }) : createGzip({ level: 1 })
}

function pack (encoding: Encoding, text: string): Readable {
  const stream = packer(encoding)
  stream.end(text)
  return stream
}

/** A name that means the same to every file system. */
function fileName (name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 100)
}
