import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, errors, request } from 'undici'
import { describe, PlatformError } from '../../../runtime/errors.ts'
import type { Dispatcher } from 'undici'
import type { Context } from '../../../runtime/plugin.ts'
import type { HttpConfig } from './options.ts'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The beginning of it. */
  readonly text: string
}

/** Of an answer: enough to say what is wrong. */
const textCharactersMax = 200
/** Of an answer; what comes beyond is not waited for. */
const answerBytesMax = 65_536
/** A receiver that asks for more time gets it so often, and no more than so long at once. */
const waitsMax = 10
const waitMsMax = 60_000

/** The other end: one connection, one request at a time, so that rows keep their order. */
export class Receiver {
  readonly #config: HttpConfig
  readonly #context: Context
  readonly #agent: Agent
  readonly #headers: Record<string, string>

  constructor (config: HttpConfig, context: Context) {
    this.#config = config
    this.#context = context
    this.#agent = new Agent({ connections: 1, pipelining: 1 })
    this.#headers = {
      'content-type': config.format === 'json' ? 'application/json' : 'application/x-ndjson',
      ...config.headers,
      ...(config.token !== null && { authorization: `Bearer ${config.token}` })
    }
  }

  /** Resolves when the receiver has taken the rows, or to why they are bad. Throws when trying again may help, and when a person has to. */
  async post (body: string, key: string, rows: number): Promise<string | undefined> {
    for (let waits = 0; ; waits++) {
      const answer = await this.#send({ method: 'POST', body, headers: { ...this.#headers, 'idempotency-key': key } })
      const { status } = answer
      if (status >= 200 && status < 300) return undefined
      if (this.#config.reject_on.includes(status) || (status === 413 && rows === 1)) return this.#says(answer)
      if (status !== 429 && status < 500) throw this.#refusal(answer)
      const waitMs = retryAfterMs(answer, this.#context.clock.now())
      if (waitMs === undefined || waits >= waitsMax) throw this.#unavailable(this.#says(answer))
      await this.#wait(Math.min(waitMs, waitMsMax), answer)
    }
  }

  /** Throws unless the receiver is there and lets the token in. It sends no row. */
  async probe (): Promise<void> {
    const answer = await this.#send({ method: 'HEAD', headers: this.#headers })
    if (answer.status >= 500) throw this.#unavailable(this.#says(answer))
    // Many receivers know POST only, and say so with 404 or 405.
    if (answer.status === 401 || answer.status === 403) throw this.#refusal(answer)
  }

  async close (): Promise<void> {
    await this.#agent.destroy()
  }

  async #send (options: { readonly method: 'POST' | 'HEAD', readonly headers: Record<string, string>, readonly body?: string }): Promise<Answer> {
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(new Error(`there was no answer within ${this.#config.timeout_ms} ms`)), this.#config.timeout_ms)
    try {
      const { statusCode: status, headers, body } = await request(this.#config.url, { ...options, dispatcher: this.#agent, signal: limit.signal })
      return { status, headers, text: await beginning(body) }
    } catch (error) {
      if (error instanceof errors.InvalidArgumentError) throw new PlatformError('CONFIG_INVALID', describe(error), { where: this.#config.url, cause: error })
      throw this.#unavailable(describe(limit.signal.aborted ? limit.signal.reason : error), error)
    } finally {
      clearTimeout(timer)
    }
  }

  async #wait (ms: number, answer: Answer): Promise<void> {
    const { health, log, signal } = this.#context
    health({ ok: false, state: 'throttled', reason: `${this.#says(answer)}; it asks to wait ${Math.ceil(ms / 1000)} s` })
    log.warn({ status: answer.status, waitMs: ms }, 'The receiver asks to wait')
    try {
      await sleep(ms, undefined, { signal })
    } catch {
      throw this.#unavailable(this.#says(answer))
    }
    health({ ok: true, state: 'streaming' })
  }

  #says ({ status, text }: Answer): string {
    return `The receiver answered ${status}${text === '' ? '' : `: ${text}`}`
  }

  #unavailable (message: string, cause?: unknown): PlatformError {
    return new PlatformError('DESTINATION_UNAVAILABLE', `The rows could not be sent: ${message}`, { where: this.#config.url, cause })
  }

  #refusal (answer: Answer): PlatformError {
    return new PlatformError('DESTINATION_REFUSED', this.#says(answer), { where: this.#config.url, remedy: remedyOf(answer) })
  }
}

function remedyOf ({ status, headers }: Answer): string {
  if (status >= 300 && status < 400) return `Redirects are not followed: give the address it names${typeof headers['location'] === 'string' ? `, ${headers['location']}` : ''}.`
  if (status === 401 || status === 403) return 'Check `token` and `headers`.'
  if (status === 404 || status === 405) return 'Check `url`: nothing there takes POST requests.'
  if (status === 413) return 'Lower `kilobytes` or `rows`.'
  return 'Look at what the receiver says. Where it means that the rows are bad, add the status to `reject_on`.'
}

/** Of `Retry-After`, in seconds or as a date; undefined where there is none. */
function retryAfterMs ({ headers }: Answer, now: number): number | undefined {
  const value = headers['retry-after']
  if (typeof value !== 'string') return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

/** More is read than is kept, so that the connection can be used again. */
async function beginning (body: Dispatcher.ResponseData['body']): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  let size = 0
  for await (const bytes of body as AsyncIterable<Uint8Array>) {
    if (text.length < textCharactersMax) text += decoder.decode(bytes, { stream: true })
    size += bytes.length
    if (size > answerBytesMax) break
  }
  return text.slice(0, textCharactersMax).trim()
}
