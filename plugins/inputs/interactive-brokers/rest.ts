import { request } from 'undici'
import { pause } from '../../../runtime/backoff.ts'
import { parseJson } from '../../../runtime/json.ts'
import { TokenBucket } from './pace.ts'
import type { Dispatcher } from 'undici'

/** A call that the gateway refused or did not answer. */
export class RestError extends Error {
  /** HTTP status; 0: no answer. The gateway reports errors under 200, too. */
  readonly status: number

  constructor (status: number, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'RestError'
    this.status = status
  }

  /** The login is over: only a human can help. */
  get loggedOut (): boolean {
    return this.status === 401
  }

  /** Trying again later can help: an outage, a maintenance window, a session that is not up yet, a penalty. */
  get transient (): boolean {
    return this.status === 0 || this.status === 401 || this.status === 429 || this.status === 502 || this.status === 503 || this.status === 504 || /no bridge|query \/accounts/i.test(this.message)
  }
}

export interface RestOptions {
  readonly api: URL
  readonly dispatcher: Dispatcher
  readonly requestsPerSecond: number
  readonly penaltyMs: number
  readonly signal: AbortSignal
  /** Told when requests stop because of too many, and until when (`performance.now()`); undefined when they go on. */
  readonly penalty: (until: number | undefined) => void
  readonly counted: () => void
}

const timeoutMs = 30_000
const bodyBytesMax = 16 * 1024 * 1024
const cookiesMax = 20

/** HTTP calls to the gateway: one rate limit over all of them, and a full stop after too many. */
export class Rest {
  readonly #options: RestOptions
  readonly #bucket: TokenBucket
  readonly #cookies = new Map<string, string>()
  #penaltyUntil = 0

  constructor (options: RestOptions) {
    this.#options = options
    this.#bucket = new TokenBucket(options.requestsPerSecond)
  }

  /** The cookies that the gateway has set, as a header; they belong to the WebSocket's handshake, too. */
  get cookies (): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** The answer's JSON; undefined where it is none. Waits for its turn and for the end of a penalty. Throws RestError. */
  async call (method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    await this.#turn()
    const { status, text } = await this.#send(method, path, body)
    if (status === 429) this.#punish()
    const json = parsed(text)
    const error = (json as { error?: unknown } | null | undefined)?.error
    if (status >= 400 || (typeof error === 'string' && error !== '')) throw new RestError(status, `${method} /${path}: HTTP ${status} ${typeof error === 'string' ? error : text.slice(0, 120).trim()}`.trim())
    return json
  }

  async #turn (): Promise<void> {
    const { signal, penalty } = this.#options
    await this.#bucket.take(signal)
    while (this.#penaltyUntil > performance.now() && !signal.aborted) await pause(this.#penaltyUntil - performance.now(), signal)
    if (signal.aborted) throw new RestError(0, 'stopped')
    if (this.#penaltyUntil > 0) {
      this.#penaltyUntil = 0
      penalty(undefined)
    }
  }

  async #send (method: 'GET' | 'POST', path: string, body: object | undefined): Promise<{ status: number, text: string }> {
    const { api, dispatcher, signal, counted } = this.#options
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': 'twolane' }
    if (this.#cookies.size > 0) headers['cookie'] = this.cookies
    if (body !== undefined) headers['content-type'] = 'application/json'
    counted()
    try {
      const answer = await request(new URL(path, api), {
        method, headers, dispatcher, body: body === undefined ? null : JSON.stringify(body), signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
      })
      this.#keep(answer.headers['set-cookie'])
      return { status: answer.statusCode, text: await limited(answer.body) }
    } catch (error) {
      throw new RestError(0, `${method} /${path}: ${reason(error)}`, error)
    }
  }

  #punish (): void {
    this.#penaltyUntil = performance.now() + this.#options.penaltyMs
    this.#options.penalty(this.#penaltyUntil)
  }

  #keep (header: string | string[] | undefined): void {
    for (const line of [header ?? []].flat()) {
      const [pair = ''] = line.split(';')
      const equals = pair.indexOf('=')
      if (equals <= 0) continue
      const name = pair.slice(0, equals).trim()
      if (this.#cookies.has(name) || this.#cookies.size < cookiesMax) this.#cookies.set(name, pair.slice(equals + 1).trim())
    }
  }
}

async function limited (body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes > bodyBytesMax) throw new Error(`the answer is larger than ${bodyBytesMax} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

/** Maintenance pages are HTML, and some answers are empty. */
function parsed (text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return undefined // not JSON: the caller finds nothing in it, the status says the rest
  }
}

function reason (error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reason).join('; ')
  const { message, code } = error as { message?: string, code?: string }
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT' || code === 'SELF_SIGNED_CERT_IN_CHAIN' || code === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE') {
    return 'the gateway\'s certificate cannot be checked; name it in ca_file, or set reject_unauthorized to false for a gateway on loopback'
  }
  return message ?? String(error)
}
