import { pause } from '../../../runtime/backoff.ts'
import { readFrame } from './frames.ts'
import { Socket } from './socket.ts'
import { Subscriptions } from './subscriptions.ts'
import type { Logger, Metrics } from '../../../runtime/plugin.ts'
import type { Frame } from './frames.ts'
import type { GapReason } from './gaps.ts'
import type { Settings } from './options.ts'
import type { Instrument } from './progress.ts'
import type { Session, Standing } from './session.ts'
import type { tlsOptions } from './socket.ts'

export interface StreamOptions {
  readonly settings: Settings
  readonly session: Session
  readonly sessionId: string
  /** What the gateway's HTTP answers have set. */
  readonly cookies: string
  readonly tls: ReturnType<typeof tlsOptions>
  readonly instruments: readonly Instrument[]
  readonly log: Logger
  readonly metrics: Metrics
  readonly signal: AbortSignal
  /** All subscriptions have been asked for. */
  readonly subscribed: () => void
  readonly restarted: (instrument: Instrument) => void
  /** `answered`: the frame ended a silence. */
  readonly data: (conid: number, values: Readonly<Record<string, unknown>>, answered: boolean) => void
  readonly silent: (instrument: Instrument) => void
  /** The gateway's HTTP side does not answer, or does again. */
  readonly rest: (problem: string | undefined) => void
}

/** Why a connection ended. */
export interface End {
  readonly reason: GapReason | 'stopped'
  readonly text: string
}

const greetingMs = 15_000
// An input has to return within a second of its signal.
const goodbyeMs = 500

/** One connection from its opening to its end: greeting, subscriptions, keep-alive, watchdogs. Never restored: a new one is made. */
export class Stream {
  readonly #options: StreamOptions
  readonly #controller = new AbortController()
  readonly #ended = Promise.withResolvers<End>()
  readonly #subscriptions: Subscriptions
  readonly #status: Record<string, unknown> = {}
  #socket: Socket | undefined
  #heardAt = performance.now()
  #ticAt = 0
  #tics: (() => void) | undefined
  #greeted = false
  #open = true

  constructor (options: StreamOptions) {
    this.#options = options
    const { settings, instruments, restarted } = options
    this.#subscriptions = new Subscriptions({
      instruments,
      fields: settings.fields,
      staleMs: settings.staleMs,
      renewMs: settings.renewMs,
      signal: this.#controller.signal,
      send: text => { this.#socket?.send(text) },
      restarted,
      silent: (instrument, delivered) => this.#silent(instrument, delivered)
    })
  }

  /** Resolves when the connection is over, for whatever reason. */
  async run (): Promise<End> {
    const { settings, cookies, sessionId, tls, signal } = this.#options
    const onStop = (): void => this.#end('stopped', 'stopped')
    signal.addEventListener('abort', onStop)
    if (signal.aborted) onStop()
    const ownCookie = `api=${JSON.stringify({ session: sessionId })}`
    this.#socket = new Socket(settings.socket, cookies === '' ? ownCookie : `${cookies}; ${ownCookie}`, tls, {
      open: () => { this.#heardAt = performance.now() },
      frame: data => this.#receive(data),
      close: reason => {
        this.#open = false
        this.#tics?.()
        this.#end('disconnected', `The gateway closed the connection (${reason}).`)
      }
    })
    const shortestMs = Math.min(settings.staleMs, settings.silenceMs, settings.renewMs, settings.tickleMs)
    const watch = setInterval(() => this.#watch(), Math.max(10, Math.min(1000, shortestMs / 5)))
    const keepAlive = this.#keepAlive()
    try {
      const end = await this.#ended.promise
      if (end.reason !== 'disconnected' && end.reason !== 'stale') await this.#goodbye()
      return end
    } finally {
      clearInterval(watch)
      signal.removeEventListener('abort', onStop)
      this.#socket.cut()
      await keepAlive
    }
  }

  #end (reason: End['reason'], text: string): void {
    this.#ended.resolve({ reason, text })
    this.#controller.abort()
  }

  /** Gives the lines back, and waits for the answer to a last `tic`: all that was sent before it has then arrived. */
  async #goodbye (): Promise<void> {
    this.#subscriptions.unsubscribeAll()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#tics = resolve
    const timer = setTimeout(resolve, goodbyeMs)
    if (this.#open && this.#greeted && this.#socket?.send('tic') === true) await promise
    clearTimeout(timer)
  }

  #watch (): void {
    const { settings: { silenceMs, tickleMs } } = this.#options
    const now = performance.now()
    const limitMs = this.#greeted ? silenceMs : Math.max(greetingMs, silenceMs)
    if (now - this.#heardAt >= limitMs) return this.#end('stale', `Nothing came over the connection for ${limitMs / 1000} s, not even a heartbeat.`)
    if (!this.#greeted) return
    if (now - this.#ticAt >= tickleMs) {
      this.#ticAt = now
      this.#socket?.send('tic')
    }
    this.#subscriptions.watch()
  }

  /** `tic` on the socket does not keep the session alive, and `tickle` does not keep the socket alive. */
  async #keepAlive (): Promise<void> {
    const { settings, session } = this.#options
    const { signal } = this.#controller
    while (!signal.aborted) {
      await pause(settings.tickleMs, signal)
      if (signal.aborted) return
      const standing = await Promise.race([session.tickle(), this.#ended.promise])
      if ('state' in standing) this.#judge(standing)
    }
  }

  #judge (standing: Standing): void {
    const { rest, sessionId } = this.#options
    // The stream may well go on while HTTP does not; the socket has watchdogs of its own.
    if (standing.state === 'unreachable') return rest(standing.reason)
    rest(undefined)
    if (standing.state === 'competing') this.#end('competing', standing.reason)
    else if (standing.state !== 'ready') this.#end('logged_out', standing.reason)
    else if (standing.id !== sessionId) this.#end('session_changed', 'The gateway began a new session.')
  }

  #receive (data: string | ArrayBuffer): void {
    const { metrics, log, data: deliver } = this.#options
    this.#heardAt = performance.now()
    const frame = readFrame(data)
    switch (frame.kind) {
      case 'data': return deliver(frame.conid, frame.values, this.#subscriptions.heard(frame.conid))
      case 'session': return this.#follow(frame)
      case 'waiting':
        this.#socket?.send(JSON.stringify({ session: this.#options.sessionId }))
        return
      case 'tic': return this.#tics?.()
      case 'known': return
      case 'error':
        metrics.count('frames_with_error')
        return log.warn({ topic: frame.topic, error: frame.text.slice(0, 500) }, 'The gateway reports an error')
      case 'rejected':
        metrics.count('frames_rejected')
        return log.debug({ reason: frame.reason }, 'A frame was passed over')
    }
  }

  /** Session frames may carry one key at a time, so what they say adds up. */
  #follow ({ args }: Extract<Frame, { kind: 'session' }>): void {
    for (const key of ['authenticated', 'competing', 'connected'] as const) if (key in args) this.#status[key] = args[key]
    if (this.#status['competing'] === true) return this.#end('competing', 'Another program took the brokerage session.')
    if (this.#status['authenticated'] === false || this.#status['connected'] === false) return this.#end('logged_out', 'The brokerage session ended.')
    if (this.#status['authenticated'] !== true || this.#greeted) return
    this.#greeted = true
    this.#ticAt = performance.now()
    void this.#subscribe()
  }

  /** Not before the greeting: the gateway ignores subscriptions that come earlier. Fails never: what cannot be sent ends the socket. */
  async #subscribe (): Promise<void> {
    await this.#subscriptions.start()
    if (!this.#controller.signal.aborted) this.#options.subscribed()
  }

  #silent (instrument: Instrument, delivered: boolean): void {
    this.#options.silent(instrument)
    // One that never sent anything here will not over another connection either.
    if (delivered) this.#end('silent', `${instrument.symbol} fell silent while the connection worked.`)
  }
}
