// Exports: files made in the background, to be fetched later, whole or in parts.

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { kindNames } from '../data/kinds.ts'
import { formats } from '../data/spec.ts'
import { PlatformError } from '../errors.ts'
import { Exports } from '../exports/exports.ts'
import { anyProperties } from '../queries/spec.ts'
import { principalOf } from './guard.ts'
import { askerOf } from './rows.ts'
import type { FastifyInstance } from 'fastify'
import type { ExportAsk, ExportLimits } from '../exports/exports.ts'
import type { ExportRecord } from '../exports/records.ts'
import type { Platform } from '../platform.ts'
import type { QuerySpec } from '../queries/spec.ts'

interface ById { readonly Params: { readonly id: string } }

const id = { type: 'string', pattern: '^[0-9a-f-]{36}$' }
const byId = { type: 'object', additionalProperties: false, required: ['id'], properties: { id } }
const { page_size: _size, page_token: _token, trailer: _trailer, left: _left, ...parameters } = anyProperties
const described = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    owner: { type: 'string' },
    spec: { type: 'object', additionalProperties: true, description: 'What was asked, with an absolute range' },
    format: { type: 'string' },
    split: { type: 'string' },
    state: { type: 'string', enum: ['queued', 'running', 'done', 'failed', 'cancelled'] },
    reason: { type: 'string', description: 'Why it failed' },
    rows: { type: 'integer', description: 'Of the files so far' },
    bytes: { type: 'integer' },
    files: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, bytes: { type: 'integer' }, sha256: { type: 'string' }, rows: { type: 'integer' }, url: { type: 'string' } } } },
    created_at: { type: 'string' },
    ended_at: { type: ['string', 'null'] },
    expires_at: { type: ['string', 'null'], description: 'When its files go' }
  }
}

export function exportRoutes (app: FastifyInstance, platform: Platform, limits?: ExportLimits): void {
  const exports = new Exports(platform, limits)
  app.addHook('onClose', () => exports.close())
  const describe = (record: ExportRecord): object => describeExport(record, exports.expiresAt(record))

  app.post<{ Body: Omit<ExportAsk, 'spec'> & QuerySpec }>('/v1/exports', {
    config: { access: 'queries:write', action: 'export.make' },
    schema: {
      summary: 'Has files made of rows, in the background',
      description: 'Takes the parameters of /v1/data, and with kind those of bars, latest and join.',
      tags: ['exports'],
      consumes: ['application/json'],
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['dataset'],
        properties: {
          ...parameters,
          dataset: { type: 'string', minLength: 1, maxLength: 200 },
          kind: { type: 'string', enum: [...kindNames], default: 'data' },
          format: { type: 'string', enum: formats.filter(format => format !== 'json'), default: 'parquet' },
          split: { type: 'string', enum: ['none', 'day'], default: 'none', description: 'One file, or one for each day (UTC)' }
        }
      },
      response: { 202: described }
    }
  }, async (request, reply) => {
    const { format, split, ...spec } = request.body
    const record = await exports.add(principalOf(request), { format, split, spec: spec as unknown as QuerySpec }, askerOf(request, reply).signal)
    return reply.code(202).header('location', `/v1/exports/${record.id}`).send(describe(record))
  })

  app.get('/v1/exports', {
    config: { access: 'data:read' },
    schema: { summary: 'Your exports, newest first', tags: ['exports'], response: { 200: { type: 'object', properties: { exports: { type: 'array', items: described } } } } }
  }, async request => ({ exports: exports.list(principalOf(request)).map(describe) }))

  app.get<ById>('/v1/exports/:id', {
    config: { access: 'data:read' },
    schema: { summary: 'One export with its files', tags: ['exports'], params: byId, response: { 200: described } }
  }, async request => describe(exports.get(request.params.id, principalOf(request))))

  app.delete<ById>('/v1/exports/:id', {
    config: { access: 'queries:write', action: 'export.remove' },
    schema: { summary: 'Ends an export, and removes its files', tags: ['exports'], params: byId, response: { 204: { type: 'null', description: 'It is gone' } } }
  }, async (request, reply) => {
    await exports.remove(request.params.id, principalOf(request))
    return reply.code(204).send()
  })

  app.get<{ Params: { id: string, name: string } }>('/v1/exports/:id/files/:name', {
    config: { access: 'data:read' },
    schema: {
      summary: 'A file of an export; with the header Range a part of it',
      tags: ['exports'],
      params: { type: 'object', additionalProperties: false, required: ['id', 'name'], properties: { id, name: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,120}\\.[a-z]{3,8}$' } } },
      response: { 200: { description: 'The file', content: { 'application/octet-stream': { schema: { type: 'string' } } } }, 206: { description: 'A part of it', content: { 'application/octet-stream': { schema: { type: 'string' } } } } }
    }
  }, async (request, reply) => {
    const { id, name } = request.params
    const { path, file } = exports.file(id, name, principalOf(request))
    const { size } = await stat(path).catch(() => { throw new PlatformError('NOT_FOUND', 'The file is not there any more', { remedy: 'Make the export again.' }) })
    const range = rangeOf(request.headers.range, size)
    void reply.type('application/octet-stream').headers({ 'accept-ranges': 'bytes', etag: `"${file.sha256}"`, 'content-disposition': `attachment; filename="${file.name}"` })
    if (range === undefined) return reply.header('content-length', size).send(createReadStream(path))
    if (range === 'none') return reply.code(416).header('content-range', `bytes */${size}`).send()
    return reply.code(206).headers({ 'content-range': `bytes ${range.start}-${range.end}/${size}`, 'content-length': range.end - range.start + 1 }).send(createReadStream(path, range))
  })
}

/** The one range that is asked for, both ends inclusive; undefined: the whole file. Several ranges at once are answered as the whole. */
function rangeOf (header: string | undefined, size: number): { readonly start: number, readonly end: number } | 'none' | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start > end ? 'none' : { start, end }
}

function describeExport ({ id, asker, spec, format, split, state, reason, files, createdAt, endedAt }: ExportRecord, expiresAt: number | undefined): object {
  const time = (ms: number | undefined): string | null => ms === undefined ? null : new Date(ms).toISOString()
  return {
    id,
    owner: asker.user,
    spec,
    format,
    split,
    state,
    reason,
    rows: files.reduce((sum, { rows }) => sum + rows, 0),
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    files: files.map(file => ({ ...file, url: `/v1/exports/${id}/files/${file.name}` })),
    created_at: time(createdAt),
    ended_at: time(endedAt),
    expires_at: time(expiresAt)
  }
}
