// One statement to ClickHouse whose answer is passed on as it comes: bytes in the format that was asked for, with
// back-pressure, in bounded memory. What is not to be passed on is asked by the client (client.ts).

import { randomUUID } from 'node:crypto'
import { Transform } from 'node:stream'
import type { Readable, TransformCallback } from 'node:stream'
import { Agent, request as httpRequest } from 'undici'
import type { Dispatcher } from 'undici'
import { PlatformError } from '../errors.ts'
import { parseAddress, readTls } from './address.ts'
import { neverSent } from './answers.ts'

type Scalar = string | number | bigint | boolean
/** Values of `{name:Type}`. */
export type Parameters = Readonly<Record<string, Scalar | readonly Scalar[]>>

export interface Statement {
  readonly sql: string
  readonly params?: Parameters | undefined
  /** Settings of this statement only, and what else the address may say, such as `default_format`. */
  readonly settings?: Readonly<Record<string, string>> | undefined
  /** What the reader of the answer can unpack, as the header Accept-Encoding says it; undefined: nothing is packed. */
  readonly encodings?: string | undefined
  /** Whoever aborts it leaves: the engine ends the statement. */
  readonly signal: AbortSignal
}

/** An answer of status 200. Its body fails where the engine did, so that nobody takes half for whole. */
export interface Answer {
  readonly body: Readable
  readonly contentType: string
  /** How the body is packed; undefined: it is not. */
  readonly encoding: string | undefined
  /** What else the engine says of it, such as `x-clickhouse-format`. */
  readonly headers: Dispatcher.ResponseData['headers']
}

/** How much of the end of a body is kept, to see whether it is an error. The engine cuts its texts below that. */
const TAIL_BYTES = 16_384

/** A refusal as the engine wrote it; `code` is its number, 0 where it gave none. */
export class EngineRefusal extends Error {
  readonly code: number

  constructor (code: number, message: string) {
    super(message)
    this.name = 'EngineRefusal'
    this.code = code
  }
}

/**
 * Sends a statement once, to the first host that can be connected to. Throws an EngineRefusal where the engine says no
 * before the first byte, and ENGINE_UNAVAILABLE where it does not answer.
 */
export async function ask (clickhouse: string, statement: Statement): Promise<Answer> {
  const { statusCode, headers, body } = await send(clickhouse, statement).catch((cause: unknown) => {
    if (statement.signal.aborted || cause instanceof PlatformError) throw cause
    throw new PlatformError('ENGINE_UNAVAILABLE', 'ClickHouse does not answer', { cause, remedy: 'Try again in a moment; GET /readyz says how it is.' })
  })
  if (statusCode !== 200) {
    const text = (await body.text()).trim()
    throw new EngineRefusal(Number(headers['x-clickhouse-exception-code'] ?? /^Code: (\d+)/.exec(text)?.[1] ?? 0), text)
  }
  const [encoding, tag] = [headers['content-encoding'], headers['x-clickhouse-exception-tag']].map(value => value === undefined ? undefined : String(value))
  return {
    body: encoding === undefined && tag !== undefined ? body.compose(new Ended(tag)) as unknown as Readable : body,
    contentType: String(headers['content-type'] ?? 'text/plain'),
    encoding,
    headers
  }
}

/** The whole answer as text; for small ones. Throws as `ask`. */
export async function askText (clickhouse: string, statement: Statement): Promise<string> {
  const { body } = await ask(clickhouse, statement)
  const pieces: Buffer[] = []
  for await (const piece of body) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString()
}

/** Rows of a small answer. Numbers of 64 bits and decimals are text. Throws as `ask`. */
export async function askRows<T> (clickhouse: string, statement: Statement): Promise<T[]> {
  const settings = { output_format_json_quote_64bit_integers: '1', output_format_json_quote_decimals: '1', ...statement.settings, default_format: 'JSONEachRow' }
  const text = await askText(clickhouse, { ...statement, settings })
  return text.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as T)
}

async function send (clickhouse: string, { sql, params, settings = {}, encodings, signal }: Statement): Promise<Dispatcher.ResponseData> {
  const { urls, username, password, files } = parseAddress(clickhouse)
  const tls = await readTls(files)
  const dispatcher = Object.keys(tls).length === 0 ? undefined : new Agent({ connect: tls })
  const form = params === undefined || Object.keys(params).length === 0 ? undefined : formOf(sql, params)
  const headers = {
    'x-clickhouse-user': username === '' ? 'default' : username,
    'x-clickhouse-key': password,
    ...(form !== undefined && { 'content-type': form.contentType }),
    ...(encodings !== undefined && { 'accept-encoding': encodings })
  }
  // The answer is still to be read; an agent that is closed ends with it.
  try {
    for (const [i, base] of urls.entries()) {
      const url = new URL(base)
      for (const [name, value] of Object.entries({ ...settings, ...(encodings !== undefined && { enable_http_compression: '1' }) })) url.searchParams.set(name, value)
      try {
        return await httpRequest(url, { method: 'POST', signal, body: form?.body ?? sql, headers, ...(dispatcher !== undefined && { dispatcher }) })
      } catch (error) {
        if (i === urls.length - 1 || !neverSent(error)) throw error
      }
    }
    throw new PlatformError('ENGINE_UNAVAILABLE', 'There is no ClickHouse')
  } finally {
    void dispatcher?.close()
  }
}

/** Statement and parameters as a form: an address has no room for thousands of symbols. */
function formOf (sql: string, params: Parameters): { readonly contentType: string, readonly body: string } {
  const boundary = randomUUID()
  const fields = [['query', sql], ...Object.entries(params).map(([name, value]) => [`param_${name}`, escaped(value)])]
  const parts = fields.map(([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
  return { contentType: `multipart/form-data; boundary=${boundary}`, body: `${parts.join('')}--${boundary}--\r\n` }
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\'': '\\\'', '\t': '\\t', '\n': '\\n', '\r': '\\r', '\0': '\\0', '\b': '\\b', '\f': '\\f' }

/** A value in ClickHouse's escaped text form. */
function escaped (value: Scalar | readonly Scalar[]): string {
  const text = (one: Scalar): string => String(one).replace(/[\\'\t\n\r\0\b\f]/g, letter => escapes[letter] as string)
  if (typeof value !== 'object') return text(value)
  return `[${value.map(one => typeof one === 'string' ? `'${text(one)}'` : String(one)).join(',')}]`
}

/** Passes bytes on and fails at their end where that is the error of an engine that failed in the middle. */
class Ended extends Transform {
  readonly #mark: string
  #tail: Buffer = Buffer.alloc(0)

  constructor (tag: string) {
    super()
    this.#mark = `__exception__\r\n${tag}`
  }

  override _transform (piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#tail = piece.length >= TAIL_BYTES ? piece.subarray(-TAIL_BYTES) : Buffer.concat([this.#tail, piece]).subarray(-TAIL_BYTES)
    done(null, piece)
  }

  override _flush (done: TransformCallback): void {
    const at = this.#tail.indexOf(this.#mark)
    done(at < 0 ? null : new EngineRefusal(Number(/Code: (\d+)/.exec(this.#tail.toString('latin1', at))?.[1] ?? 0), 'The engine failed in the middle of its answer'))
  }
}
