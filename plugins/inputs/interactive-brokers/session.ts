// The two tiers of a gateway session: the login of a human in the browser, and on top of it the brokerage session, of
// which a login has one over all programs. The connector never logs in; it opens the brokerage session, and takes it
// from another program only where the configuration says so.
//
//   unreachable ── answers ──▶ needs_login ── a human logs in ──▶ closed ── ssodh/init ──▶ ready
//                                                                   ▲                        │
//                                                competing ◀────────┴── another program ─────┘

import { Backoff, pause } from '../../../runtime/backoff.ts'
import { objectOf } from './json-object.ts'
import { RestError } from './rest.ts'
import type { Clock, Logger } from '../../../runtime/plugin.ts'
import type { GatewaySettings } from './gateway-options.ts'
import type { Rest } from './rest.ts'
import type { Status } from './status.ts'

/** How the gateway stands, and for people why it is not ready. */
export type Standing =
  | { readonly state: 'ready', readonly id: string }
  | { readonly state: 'unreachable' | 'needs_login' | 'closed' | 'competing', readonly reason: string }

export interface SessionOptions {
  readonly settings: GatewaySettings
  readonly rest: Rest
  readonly status: Status
  readonly log: Logger
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Asks the gateway once. Never throws: no answer is an answer, too. */
export async function tickle (rest: Rest, gateway: URL): Promise<Standing> {
  try {
    const answer = objectOf(await rest.call('POST', 'tickle'))
    const nested = objectOf(answer['iserver'])['authStatus']
    const status = nested === undefined ? objectOf(await rest.call('POST', 'iserver/auth/status')) : objectOf(nested)
    return judge(status, answer['session'], gateway)
  } catch (error) {
    if (!(error instanceof RestError)) throw error
    if (error.loggedOut) return { state: 'needs_login', reason: loginSentence(gateway) }
    return { state: 'unreachable', reason: `The gateway does not answer as it should: ${error.message}.` }
  }
}

function judge (status: Readonly<Record<string, unknown>>, id: unknown, gateway: URL): Standing {
  if (status['competing'] === true) return { state: 'competing', reason: 'Another program with the same login holds the brokerage session.' }
  if (status['connected'] === false) return { state: 'needs_login', reason: loginSentence(gateway) }
  if (status['authenticated'] !== true || status['established'] === false) {
    const fail = typeof status['fail'] === 'string' && status['fail'] !== '' ? ` (${status['fail']})` : ''
    return { state: 'closed', reason: `The brokerage session is not open${fail}.` }
  }
  if (typeof id !== 'string' || id === '') return { state: 'unreachable', reason: 'The gateway answers without a session id; is this the address of its API?' }
  return { state: 'ready', id }
}

function loginSentence (gateway: URL): string {
  return `The gateway has no login: open ${gateway.origin} in a browser and log in; the rest goes on by itself.`
}

/** The brokerage session of one start of the connector. */
export class Session {
  readonly #options: SessionOptions
  readonly #opening: Backoff
  #openedAt = -Infinity
  #openAt = -Infinity
  #taken = false

  constructor (options: SessionOptions) {
    this.#options = options
    this.#opening = new Backoff({ firstMs: options.settings.sessionMs, maxMs: options.settings.sessionMsMax }, () => 0)
  }

  tickle (): Promise<Standing> {
    return tickle(this.#options.rest, this.#options.settings.api)
  }

  /** Waits for a session, however long it takes; its id, or undefined at the signal. The only place that opens one, and called by one loop: never twice at a time. */
  async ready (): Promise<string | undefined> {
    const { settings, status, signal } = this.#options
    const retry = new Backoff({ firstMs: settings.retryMs, maxMs: settings.retryMsMax })
    while (!signal.aborted) {
      const standing = await this.tickle()
      if (signal.aborted) return
      if (standing.state === 'ready') return standing.id
      status.enter(standing.state === 'needs_login' || standing.state === 'competing' ? standing.state : 'connecting', this.#explain(standing))
      if (standing.state === 'unreachable') {
        await pause(retry.nextMs(), signal)
        continue
      }
      retry.succeeded()
      if (this.#mayOpen(standing.state)) await this.#open(standing.state === 'competing')
      else await pause(this.#waitMs(standing.state), signal)
    }
  }

  #explain ({ state, reason }: Exclude<Standing, { state: 'ready' }>): string {
    if (state !== 'competing' || this.#mayTake) return reason
    return `${reason} ${this.#options.settings.takeover === 'once' ? 'It was taken back once; work' : 'Work'} goes on when that program ends its session; takeover says whether to take it.`
  }

  get #mayTake (): boolean {
    const { takeover } = this.#options.settings
    return takeover === 'always' || (takeover === 'once' && !this.#taken)
  }

  #mayOpen (state: Standing['state']): boolean {
    return performance.now() >= this.#openAt && (state !== 'competing' || this.#mayTake)
  }

  #waitMs (state: Standing['state']): number {
    const { tickleMs, retryMs } = this.#options.settings
    const untilOpen = this.#openAt - performance.now()
    return state === 'competing' && !this.#mayTake ? tickleMs : Math.max(retryMs, Math.min(tickleMs, untilOpen))
  }

  /** Eager attempts have been seen to block human logins and to earn penalties, so the time between two of them doubles. */
  async #open (compete: boolean): Promise<void> {
    const { rest, log, settings, signal } = this.#options
    const now = performance.now()
    // A session that lasted was no storm.
    if (now - this.#openedAt > 2 * (this.#openAt - this.#openedAt)) this.#opening.succeeded()
    this.#openedAt = now
    this.#openAt = now + this.#opening.nextMs()
    if (compete) this.#taken = true
    try {
      await rest.call('POST', 'iserver/auth/ssodh/init', { publish: true, compete })
      log.info({ compete }, 'Asked for the brokerage session')
    } catch (error) {
      if (!(error instanceof RestError)) throw error
      if (!signal.aborted) log.warn({ error: error.message }, 'The brokerage session could not be opened, retrying')
    }
    // The gateway says "no bridge" for a moment.
    await pause(Math.min(settings.retryMs, 1000), signal)
  }
}
