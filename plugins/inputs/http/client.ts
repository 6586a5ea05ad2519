// Requests to one source, one at a time: paced, repeated where that can help, bounded in time and size.

import { isUtf8 } from 'node:buffer'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Agent, errors, request } from 'undici'
import { pause } from '../../../runtime/backoff.ts'
import { describe, PlatformError } from '../../../runtime/errors.ts'
import { isTransient, retryAfterMs, retryDelayMs } from './retry.ts'
import type { Transform } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Context } from '../../../runtime/plugin.ts'
import type { Auth, HttpConfig } from './options.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** UTF-8, decompressed, without a byte order mark. */
  readonly text: string
  /** Where it came from, redirects followed. */
  readonly url: URL
}

export interface Asked {
  readonly url: URL
  readonly body?: string | undefined
  /** Statuses besides 2xx that are an answer. */
  readonly accept?: readonly number[]
}

/** Of an answer that is no good: enough to say what it is. */
const shownCharacters = 200

/** No answer, or one that another attempt may improve. */
class Unanswered extends Error {
  readonly waitMs: number | undefined

  constructor (message: string, { waitMs, cause }: { readonly waitMs?: number | undefined, readonly cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.waitMs = waitMs
  }
}

export class Client {
  readonly #config: HttpConfig
  readonly #context: Context
  readonly #agent: Agent
  readonly #headers: Readonly<Record<string, string>>
  #nextAt = 0

  /** Throws CONFIG_INVALID for a certificate file that cannot be read. */
  constructor (config: HttpConfig, context: Context) {
    this.#config = config
    this.#context = context
    const timeoutMs = config.timeout_seconds * 1000
    this.#agent = new Agent({ connections: 1, pipelining: 1, headersTimeout: timeoutMs, bodyTimeout: timeoutMs, connect: { timeout: timeoutMs, ...tlsFiles(config, context.root) } })
    this.#headers = {
      accept: config.format === 'json' ? 'application/json' : config.format === 'csv' ? 'text/csv' : 'application/x-ndjson, application/json',
      'accept-encoding': 'gzip, deflate, br, zstd',
      'user-agent': 'twolane',
      ...(config.body !== null && { 'content-type': 'application/json' }),
      ...config.headers,
      ...authHeaders(config.auth)
    }
  }

  /** The answer; undefined: stopped meanwhile. Throws SOURCE_UNAVAILABLE after the last attempt, SOURCE_REFUSED at once. */
  async ask (asked: Asked): Promise<Answer | undefined> {
    const { retries, retry_ms: retryMs, retry_after_seconds_max: secondsMax } = this.#config
    const { signal, metrics, health, log } = this.#context
    for (let attempt = 0; !signal.aborted; attempt++) {
      await this.#turn()
      if (signal.aborted) return undefined
      metrics.count(attempt === 0 ? 'requests' : 'requests_retried')
      try {
        const answer = await this.#follow(asked)
        if (attempt > 0) health({ ok: true, state: 'reading' })
        return answer
      } catch (error) {
        if (signal.aborted) return undefined
        if (!(error instanceof Unanswered)) throw error
        const { waitMs } = error
        if (waitMs !== undefined && waitMs > secondsMax * 1000) {
          throw unavailable(`${error.message}; it asks to wait ${Math.ceil(waitMs / 1000)} s`, asked.url, 'Wait so long, ask it less often (requests_per_second), or raise retry_after_seconds_max.', error)
        }
        if (attempt >= retries) throw unavailable(attempt === 0 ? error.message : `${error.message} (${attempt + 1} attempts)`, asked.url, undefined, error)
        const delayMs = waitMs ?? retryDelayMs(attempt, retryMs)
        health({ ok: false, state: 'backing_off', reason: `${error.message}. It is asked again in ${Math.ceil(delayMs / 1000)} s.` })
        log.warn({ reason: error.message, retryDelayMs: delayMs }, 'The source did not answer, asking again')
        await pause(delayMs, signal)
      }
    }
    return undefined
  }

  async close (): Promise<void> {
    await this.#agent.destroy()
  }

  /** Requests keep a distance from each other: nothing is saved up, for sources count over any second. */
  async #turn (): Promise<void> {
    const perSecond = this.#config.requests_per_second
    if (perSecond === null) return
    const waitMs = this.#nextAt - performance.now()
    if (waitMs > 0) await pause(waitMs, this.#context.signal)
    this.#nextAt = performance.now() + 1000 / perSecond
  }

  async #follow (asked: Asked): Promise<Answer> {
    let { url, body } = asked
    let method = this.#config.method
    for (let redirects = 0; ; redirects++) {
      const answer = await this.#send(method, url, body)
      const { status, headers } = answer
      if ((status >= 200 && status < 300) || asked.accept?.includes(status) === true) return answer
      if (isTransient(status)) throw new Unanswered(says(answer), { waitMs: retryAfterMs(headers['retry-after'], this.#context.clock.now()) })
      const location = headers['location']
      if (status < 300 || status >= 400 || typeof location !== 'string') throw refused(says(answer), url, remedyOf(status))
      const next = URL.parse(location, url.href)
      // What is sent, keys included, is meant for one origin only.
      if (next?.origin !== asked.url.origin) throw refused(`The source redirects to ${next === null ? 'an address that is none' : place(next)}`, url, 'Redirects to another origin are not followed: give that address in url.')
      if (redirects >= this.#config.redirects_max) throw refused(`The source redirects more than ${redirects} times`, url, 'Check url, or raise redirects_max.')
      url = next
      if (status === 303 || (status < 303 && method === 'POST')) {
        method = 'GET'
        body = undefined
      }
    }
  }

  async #send (method: 'GET' | 'POST', url: URL, body: string | undefined): Promise<Answer> {
    const { timeout_seconds: seconds, response_bytes_max: bytesMax } = this.#config
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(new Error(`there was no whole answer within ${seconds} s`)), seconds * 1000)
    const stop = (): void => limit.abort(new Error('stopped'))
    this.#context.signal.addEventListener('abort', stop)
    try {
      const { statusCode: status, headers, body: stream } = await request(url.href, { method, headers: this.#headers, body: body ?? null, dispatcher: this.#agent, signal: limit.signal })
      const bytes = await allBytes(stream, headers['content-encoding'], bytesMax)
      if (bytes === undefined) throw refused(`The answer has more than ${bytesMax} bytes`, url, 'Ask for smaller pages, or raise response_bytes_max.')
      if (!isUtf8(bytes)) throw refused(`The answer is not UTF-8 (${contentType(headers)})`, url, 'The source has to send UTF-8.')
      const text = bytes.toString()
      return { status, headers, text: text.startsWith('\ufeff') ? text.slice(1) : text, url }
    } catch (error) {
      if (error instanceof PlatformError) throw error
      if (error instanceof errors.InvalidArgumentError) throw new PlatformError('CONFIG_INVALID', describe(error), { where: 'input.http', cause: error })
      const reason = limit.signal.aborted ? limit.signal.reason as unknown : error
      if (isTlsFault(error)) throw refused(`The certificate of the source is not trusted: ${describe(reason)}`, url, 'Name the certificate of its authority in ca_file.', error)
      throw new Unanswered(`The source could not be read: ${describe(reason)}`, { cause: error })
    } finally {
      clearTimeout(timer)
      this.#context.signal.removeEventListener('abort', stop)
    }
  }
}

/** What stands in an error: no query, for there may be keys in it. */
export function place (url: URL): string {
  return url.origin + url.pathname
}

/** What an answer is, in a few words, and how it begins. */
export function says ({ status, headers, text }: Answer): string {
  const begin = text.slice(0, shownCharacters).replace(/\s+/g, ' ').trim()
  return `The source answered ${status} (${contentType(headers)})${begin === '' ? ' without a text' : `: ${begin}${text.length > shownCharacters ? '…' : ''}`}`
}

export function refused (message: string, url: URL, remedy: string, cause?: unknown): PlatformError {
  return new PlatformError('SOURCE_REFUSED', message, { where: place(url), remedy, cause })
}

function unavailable (message: string, url: URL, remedy: string | undefined, cause: unknown): PlatformError {
  return new PlatformError('SOURCE_UNAVAILABLE', message, { where: place(url), cause: (cause as Error).cause, ...(remedy !== undefined && { remedy }) })
}

function contentType (headers: Answer['headers']): string {
  const type = headers['content-type']
  return typeof type === 'string' ? type : 'no content type'
}

function remedyOf (status: number): string {
  if (status === 401 || status === 403) return 'Check auth, headers and query.'
  if (status === 404 || status === 410) return 'Check url.'
  if (status === 405) return 'Check method.'
  if (status >= 300 && status < 400) return 'The redirect names no address: check url.'
  return 'Look at what the source says, and compare query, body and paging with its documentation.'
}

/** The whole body, decompressed; undefined: it is larger than `bytesMax`. */
async function allBytes (body: Dispatcher.ResponseData['body'], encoding: string | string[] | undefined, bytesMax: number): Promise<Buffer | undefined> {
  const decoder = decoderOf(encoding)
  const stream: AsyncIterable<Buffer> = decoder === undefined ? body : body.pipe(decoder)
  // A pipe does not pass on what broke off.
  if (decoder !== undefined) body.on('error', error => decoder.destroy(error))
  const pieces: Buffer[] = []
  let bytes = 0
  try {
    for await (const piece of stream) {
      bytes += piece.length
      if (bytes > bytesMax) return undefined
      pieces.push(piece)
    }
    return Buffer.concat(pieces)
  } finally {
    decoder?.destroy()
    body.destroy()
  }
}

function decoderOf (encoding: string | string[] | undefined): Transform | undefined {
  const name = typeof encoding === 'string' ? encoding.trim().toLowerCase() : ''
  switch (name) {
    case '':
    case 'identity': return undefined
    case 'gzip':
    case 'x-gzip': return createGunzip()
    case 'deflate': return createInflate()
    case 'br': return createBrotliDecompress()
    case 'zstd': return createZstdDecompress()
    default: throw new Error(`its content encoding ${name} is not known`)
  }
}

function authHeaders (auth: Auth): Record<string, string> {
  switch (auth.kind) {
    case 'none':
    case 'query': return {} // the address has it
    case 'bearer': return { authorization: `Bearer ${auth.token}` }
    case 'basic': return { authorization: `Basic ${Buffer.from(`${auth.user}:${auth.password}`).toString('base64')}` }
    case 'header': return { [auth.name.toLowerCase()]: auth.value }
  }
}

function tlsFiles ({ ca_file: ca, certificate_file: cert, key_file: key }: HttpConfig, root: string): Record<string, Buffer> {
  const read = (option: string, path: string | null): Record<string, Buffer> => {
    if (path === null) return {}
    try {
      return { [option]: readFileSync(resolve(root, path)) }
    } catch (cause) {
      throw new PlatformError('CONFIG_INVALID', `a certificate file cannot be read: ${describe(cause)}`, { where: 'input.http', remedy: 'Correct the path, or let this user read the file.', cause })
    }
  }
  return { ...read('ca', ca), ...read('cert', cert), ...read('key', key) }
}

function isTlsFault (error: unknown): boolean {
  const { code = '' } = error as { code?: string }
  return /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_CERT_)/.test(code)
}
