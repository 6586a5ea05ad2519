import { Agent } from 'undici'
import { Backoff, pause } from '../../../runtime/backoff.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { resolve } from './contracts.ts'
import { missingRights } from './fields.ts'
import { gapRow, Gaps } from './gaps.ts'
import { History } from './history.ts'
import { Outbox } from './outbox.ts'
import { Progress } from './progress.ts'
import { Quotes } from './quotes.ts'
import { Rest, RestError } from './rest.ts'
import { Session } from './session.ts'
import { tlsOptions } from './socket.ts'
import { Status } from './status.ts'
import { Stream } from './stream.ts'
import type { Context } from '../../../runtime/plugin.ts'
import type { GapReason } from './gaps.ts'
import type { Settings } from './options.ts'
import type { Gap, Instrument } from './progress.ts'
import type { End } from './stream.ts'

/** The gateway's side of `read`: connects, streams, connects again, until the signal. All it has to say goes to the outbox. */
export class Connector {
  readonly outbox: Outbox
  readonly #settings: Settings
  readonly #context: Context
  readonly #signal: AbortSignal
  readonly #progress: Progress
  readonly #status: Status
  readonly #agent: Agent
  readonly #rest: Rest
  readonly #session: Session
  readonly #gaps: Gaps
  readonly #history: History
  readonly #quotes = new Quotes()
  readonly #retry: Backoff
  readonly #silent = new Set<number>()
  readonly #rights = new Map<number, string>()
  readonly #delayed = new Set<number>()
  #instruments: ReadonlyMap<number, Instrument> | undefined

  constructor (settings: Settings, context: Context, signal: AbortSignal) {
    this.#settings = settings
    this.#context = context
    this.#signal = signal
    const { clock, log, metrics } = context
    this.#progress = new Progress(context.checkpoint)
    this.outbox = new Outbox({ quotes: context.topic, gaps: context.topicNamed('gaps'), bars: context.topicNamed('bars') }, this.#progress, { pendingMax: settings.pendingRowsMax, reject: context.reject, signal })
    this.#status = new Status(context)
    this.#agent = new Agent({ connect: tlsOptions(settings) })
    this.#retry = new Backoff({ firstMs: settings.retryMs, maxMs: settings.retryMsMax })
    this.#rest = new Rest({
      api: settings.api,
      dispatcher: this.#agent,
      requestsPerSecond: settings.requestsPerSecond,
      penaltyMs: settings.penaltyMs,
      signal,
      counted: () => metrics.count('requests'),
      penalty: until => this.#penalty(until)
    })
    this.#session = new Session({ settings, rest: this.#rest, status: this.#status, log, clock, signal })
    this.#gaps = new Gaps({ clock, write: row => this.outbox.gap(row), closed: gap => this.#closed(gap) })
    this.#history = this.#makeHistory()
  }

  #makeHistory (): History {
    const { clock, log } = this.#context
    return new History({
      rest: this.#rest,
      clock,
      log,
      signal: this.#signal,
      retryMs: this.#settings.retryMs,
      retryMsMax: this.#settings.retryMsMax,
      write: bars => this.outbox.bars(bars),
      done: (gap, { state, bars, detail }) => this.outbox.gap(gapRow(gap, state, clock, { bars, ...(detail !== undefined && { detail }) })),
      joined: (swallowed, into) => {
        this.outbox.gap(gapRow(swallowed, 'joined', clock, { detail: `filled together with the gap that began at ${new Date(into.from).toISOString()}` }))
        this.outbox.gap(gapRow(into, 'closed', clock))
      }
    })
  }

  /** Resolves when it has stopped in good order. Throws when going on is pointless: a configuration that names no instrument. */
  async run (): Promise<void> {
    this.#status.enter('connecting', `Connecting to ${this.#settings.api.origin}.`)
    try {
      while (!this.#signal.aborted) await this.#connect()
    } finally {
      await this.#history.settled()
      await this.#agent.destroy()
    }
  }

  async #connect (): Promise<void> {
    const { log } = this.#context
    try {
      const sessionId = await this.#session.ready()
      if (sessionId === undefined) return
      // Each new brokerage session wants this before it gives market data.
      await this.#rest.call('GET', 'iserver/accounts')
      await this.#prepare()
      const end = await this.#stream(sessionId)
      if (end.reason === 'stopped') return
      this.#interrupted(end.reason)
      this.#status.enter('connecting', end.text)
      log.warn({ reason: end.reason, detail: end.text }, 'The stream was interrupted, connecting again')
    } catch (error) {
      if (!(error instanceof RestError)) throw error
      if (this.#signal.aborted) return
      this.#status.enter('connecting', error.message)
      log.warn({ error: error.message }, 'The gateway refused a request, connecting again')
    }
    await pause(this.#retry.nextMs(), this.#signal)
  }

  /** Once a start: what to stream, and what an earlier run has left to do. */
  async #prepare (): Promise<void> {
    if (this.#instruments !== undefined) return
    const { log } = this.#context
    const { linesMax } = this.#settings
    const { instruments, problems: found } = await resolve(this.#settings.instruments, this.#progress.contracts, this.#rest)
    const problems = [...found.values()]
    for (const problem of problems) log.error({ problem }, 'An instrument cannot be streamed')
    if (instruments.size === 0) throw new PlatformError('CONFIG_INVALID', problems.join(' '), { where: 'instruments', remedy: 'Correct the list.' })
    if (problems.length > 0) this.#status.trouble('instruments', problems.join(' '))
    this.#progress.keep(instruments)
    const all = [...instruments.values()]
    const streamed = all.slice(0, linesMax)
    const left = all.slice(linesMax)
    if (left.length > 0) {
      const text = `${left.length} instruments are not streamed, as lines_max is ${linesMax}: ${list(left)}.`
      this.#status.trouble('lines', text)
      log.error({ left: left.length, linesMax }, 'Instruments beyond the market data lines are not streamed')
    }
    this.#instruments = new Map(streamed.map(instrument => [instrument.conid, instrument]))
    this.#resume()
  }

  #resume (): void {
    for (const gap of this.#progress.gaps) {
      if (gap.to === undefined) this.#gaps.resume(gap)
      else if (this.#settings.backfill) this.#history.fill(gap as Required<Gap>)
    }
    for (const instrument of (this.#instruments ?? new Map<number, Instrument>()).values()) this.#gaps.begin(instrument, this.#progress.last(instrument.conid))
  }

  async #stream (sessionId: string): Promise<End> {
    const { log, metrics } = this.#context
    const instruments = [...(this.#instruments ?? new Map<number, Instrument>()).values()]
    const stream = new Stream({
      settings: this.#settings,
      session: this.#session,
      sessionId,
      cookies: this.#rest.cookies,
      tls: tlsOptions(this.#settings),
      instruments,
      log,
      metrics,
      signal: this.#signal,
      subscribed: () => {
        metrics.gauge('market_data_lines', instruments.length)
        log.info({ instruments: instruments.length }, 'Subscribed')
      },
      restarted: instrument => this.#quotes.restart(instrument.conid),
      data: (conid, values, answered) => this.#receive(conid, values, answered),
      silent: instrument => this.#silence(instrument),
      rest: problem => this.#status.trouble('rest', problem)
    })
    const end = await stream.run()
    metrics.gauge('market_data_lines', 0)
    metrics.count('disconnects')
    this.#status.trouble('rest', undefined)
    return end
  }

  /** One frame of one instrument to one row. */
  #receive (conid: number, values: Readonly<Record<string, unknown>>, answered: boolean): void {
    const { clock, metrics } = this.#context
    const instrument = this.#instruments?.get(conid)
    if (instrument === undefined) return metrics.count('frames_rejected')
    this.#arrived(instrument)
    const receivedTime = clock.now()
    const { row, differs, status } = this.#quotes.merge(instrument, values, receivedTime)
    // After a silence, values that differ from the last ones known are proof that updates were missed.
    if (answered && differs) this.#gaps.open(instrument, 'silent')
    this.#watchRights(instrument, status)
    const refused = this.#settings.liveOnly && row['delayed'] === true ? `market data status ${String(status)}: delayed, and live_only is on` : undefined
    if (this.outbox.quote(row, refused)) {
      this.#gaps.received(instrument, receivedTime)
      this.#status.trouble('overflow', undefined)
      return
    }
    // The bound of a feed that cannot be slowed down: the row is dropped, counted, and part of a gap.
    metrics.count('rows_dropped')
    this.#gaps.open(instrument, 'overflow')
    this.#status.trouble('overflow', 'Rows are dropped: the topic takes them more slowly than they come.')
  }

  #arrived (instrument: Instrument): void {
    if (this.#status.phase !== 'streaming') {
      this.#status.enter('streaming')
      this.#retry.succeeded()
    }
    if (this.#silent.delete(instrument.conid)) this.#reportSilent()
  }

  #interrupted (reason: GapReason): void {
    for (const instrument of this.#instruments?.values() ?? []) this.#gaps.open(instrument, reason)
    this.#silent.clear()
    this.#reportSilent()
  }

  #silence (instrument: Instrument): void {
    this.#gaps.open(instrument, 'silent')
    this.#silent.add(instrument.conid)
    this.#context.log.warn({ symbol: instrument.symbol }, 'An instrument sends nothing, however it is asked')
    this.#reportSilent()
  }

  #reportSilent (): void {
    const silent = [...this.#silent].map(conid => this.#instruments?.get(conid)).filter(instrument => instrument !== undefined)
    this.#context.metrics.gauge('instruments_stale', silent.length)
    this.#status.trouble('stale', silent.length === 0 ? undefined : `Nothing comes for ${list(silent)}: no market data line is free, the contract is dead, or the gateway's feed hangs.`)
  }

  #watchRights ({ symbol, conid }: Instrument, status: unknown): void {
    const missing = missingRights(status)
    if (this.#rights.get(conid) !== missing) {
      if (missing === undefined) this.#rights.delete(conid)
      else this.#rights.set(conid, missing)
      this.#status.trouble('rights', this.#rights.size === 0 ? undefined : `No prices for ${list([...this.#rights.keys()].map(key => ({ symbol: this.#instruments?.get(key)?.symbol ?? symbol })))}: ${[...new Set(this.#rights.values())].join('; ')}.`)
    }
    const delayed = this.#settings.liveOnly && typeof status === 'string' && /^[DY]/.test(status)
    if (delayed === this.#delayed.has(conid)) return
    if (delayed) this.#delayed.add(conid)
    else this.#delayed.delete(conid)
    this.#status.trouble('delayed', this.#delayed.size === 0 ? undefined : `Rows of ${this.#delayed.size} instruments are refused, as they are delayed and live_only is on.`)
  }

  #closed (gap: Required<Gap>): void {
    if (this.#settings.backfill) this.#history.fill(gap)
  }

  #penalty (until: number | undefined): void {
    if (until === undefined) return this.#status.trouble('penalty', undefined)
    const minutes = this.#settings.penaltyMs / 60_000
    this.#context.log.error({ minutes }, 'The gateway says that there were too many requests, so none are made for a while')
    this.#status.trouble('penalty', `Too many requests (429): none are made for ${minutes} minutes.`)
  }
}

function list (instruments: ReadonlyArray<Pick<Instrument, 'symbol'>>): string {
  const names = instruments.slice(0, 5).map(({ symbol }) => symbol).join(', ')
  return instruments.length > 5 ? `${names} and ${instruments.length - 5} more` : names
}
