import { Agent } from 'undici'
import { fromRows } from '../../../runtime/batch.ts'
import { readCalendar } from '../../../runtime/calendar/calendar.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { askBars, barRow, barsOf } from '../interactive-brokers/bars.ts'
import { resolve } from '../interactive-brokers/contracts.ts'
import { Rest, RestError } from '../interactive-brokers/rest.ts'
import { Session } from '../interactive-brokers/session.ts'
import { tlsOptions } from '../interactive-brokers/socket.ts'
import { Status } from '../interactive-brokers/status.ts'
import { pause } from '../../../runtime/backoff.ts'
import { Completeness } from './complete.ts'
import { Place } from './place.ts'
import { nextWindow } from './windows.ts'
import type { Chunk, Context, Row } from '../../../runtime/plugin.ts'
import type { Instrument } from '../interactive-brokers/progress.ts'
import type { Settings } from './options.ts'
import type { Window } from './windows.ts'

/** Reasons that a text for people holds at most. */
const refusalsShown = 5

/** An instrument and how far it is to be read: bars that begin in [from, to). */
interface Task extends Instrument {
  from: number
  readonly to: number
}

/** What one request brought. */
interface Fetched {
  readonly task: Task
  readonly rows: readonly Row[]
  /** Bars that are none, and why. */
  readonly malformed: ReadonlyArray<readonly [Row, string]>
  /** When the last row's bar begins. */
  readonly last: number | undefined
  /** Where the next window begins; undefined: there is no more to be had. */
  readonly next: number | undefined
  /** Why the gateway gives no bars of the instrument. */
  readonly refused?: string
}

/**
 * Reads the bars of all instruments, each from where it stands to now or to the end of the backfill, oldest first. In
 * memory there is one answer of the gateway for each request that is under way.
 */
export class Reader {
  readonly #settings: Settings
  readonly #context: Context
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #status: Status
  readonly #agent: Agent
  readonly #rest: Rest
  readonly #session: Session
  readonly #place: Place
  readonly #running = new Map<number, Promise<Fetched>>()
  #complete: Completeness
  /** Why instruments are not read, by the symbol. */
  readonly #refused = new Map<string, string>()
  #opening: Promise<void> | undefined

  constructor (settings: Settings, context: Context) {
    this.#settings = settings
    this.#context = context
    this.#signal = AbortSignal.any([context.signal, this.#stop.signal])
    this.#place = new Place(context.checkpoint, settings)
    this.#complete = new Completeness(settings, undefined)
    this.#status = new Status(context)
    this.#agent = new Agent({ connect: tlsOptions(settings) })
    this.#rest = new Rest({
      api: settings.api,
      dispatcher: this.#agent,
      requestsPerSecond: settings.requestsPerSecond,
      penaltyMs: settings.penaltyMs,
      signal: this.#signal,
      counted: () => context.metrics.count('requests'),
      penalty: until => this.#penalty(until)
    })
    this.#session = new Session({ settings, rest: this.#rest, status: this.#status, log: context.log, clock: context.clock, signal: this.#signal })
  }

  /** In a run it ends when every instrument is read as far as it goes; without one it looks again and again, until the signal. Throws CONFIG_INVALID and SOURCE_UNAVAILABLE: there is nothing to read. */
  async * chunks (): AsyncGenerator<Chunk, void, void> {
    const { calendar, api } = this.#settings
    this.#status.enter('connecting', `Connecting to ${api.origin}.`)
    try {
      if (calendar !== null) this.#complete = new Completeness(this.#settings, await readCalendar(this.#context.root, calendar))
      const instruments = await this.#instruments()
      if (instruments === undefined) return
      const { found, rejected } = instruments
      if (rejected > 0) yield this.#chunk([])
      while (!this.#signal.aborted) {
        yield * this.#read(found.map(instrument => this.#task(instrument)))
        if (this.#context.run !== undefined) break
        await pause(this.#settings.pollMs, this.#signal)
      }
    } finally {
      this.#stop.abort()
      await Promise.allSettled(this.#running.values())
      await this.#agent.destroy()
    }
  }

  /** What the configuration names; undefined at the signal. */
  async #instruments (): Promise<{ readonly found: readonly Instrument[], readonly rejected: number } | undefined> {
    const { instruments: texts, retryMs } = this.#settings
    while (true) {
      await this.#ready()
      if (this.#signal.aborted) return undefined
      try {
        const { instruments, problems } = await resolve(texts, this.#place.contracts, this.#rest)
        if (instruments.size === 0) throw new PlatformError('CONFIG_INVALID', [...problems.values()].join(' '), { where: 'instruments', remedy: 'Correct the list.' })
        for (const [symbol, problem] of problems) this.#refuse({ symbol }, problem)
        this.#place.keep(instruments)
        return { found: [...instruments.values()], rejected: problems.size }
      } catch (error) {
        if (!(error instanceof RestError)) throw error
        if (this.#signal.aborted) return undefined
        this.#status.enter('connecting', error.message)
        await pause(retryMs, this.#signal)
      }
    }
  }

  #task ({ symbol, conid }: Instrument): Task {
    const { run, clock } = this.#context
    const now = clock.now()
    const backfill = run?.kind === 'backfill' ? run : undefined
    const last = this.#place.last(conid)
    const from = backfill?.from ?? this.#settings.startMs(now)
    return { symbol, conid, from: last === undefined ? from : Math.max(last + 1, backfill?.from ?? -Infinity), to: Math.min(backfill?.to ?? Infinity, now) }
  }

  /** A few instruments at a time, a request after the other of each. */
  async * #read (tasks: readonly Task[]): AsyncGenerator<Chunk, void, void> {
    const { metrics, log } = this.#context
    const waiting = tasks.filter(({ from, to }) => from < to)
    let refusals = 0
    while (!this.#signal.aborted) {
      while (this.#running.size < this.#settings.parallel && waiting.length > 0) this.#start(waiting.shift() as Task)
      metrics.gauge('instruments_left', waiting.length + this.#running.size)
      if (this.#running.size === 0) break
      const fetched = await Promise.race(this.#running.values())
      const { task, rows, malformed, last, next, refused: reason } = fetched
      this.#running.delete(task.conid)
      if (this.#signal.aborted) return
      for (const [row, why] of malformed) this.#malformed(row, why)
      if (reason === undefined) this.#accept(task.symbol)
      else {
        refusals++
        this.#refuse({ symbol: task.symbol, conid: task.conid }, reason)
      }
      if (next !== undefined) this.#start(Object.assign(task, { from: next }))
      if (last !== undefined) this.#place.took(task.conid, last)
      if (rows.length > 0 || malformed.length > 0 || reason !== undefined) yield this.#chunk(rows)
    }
    if (this.#signal.aborted) return
    if (refusals > 0 && refusals === tasks.length && this.#context.run !== undefined) throw new PlatformError('SOURCE_UNAVAILABLE', this.#refusals(), { remedy: 'Check the instruments and the rights of the login; the next run goes on from the same place.' })
    log.info({ instruments: tasks.length - refusals, refused: refusals }, 'All bars that there are were read')
  }

  #chunk (rows: readonly Row[]): Chunk {
    return { batch: fromRows(this.#context.topic, rows), checkpoint: this.#place.checkpoint() }
  }

  #start (task: Task): void {
    this.#running.set(task.conid, this.#fetch(task).catch((error: unknown) => {
      if (!(error instanceof RestError)) throw error
      return { task, rows: [], malformed: [], last: undefined, next: undefined, refused: `The gateway gives no bars of ${task.symbol}: ${error.message}.` }
    }))
  }

  async #fetch (task: Task): Promise<Fetched> {
    const { bar, outsideHours, source, retryMs, retryMsMax } = this.#settings
    const window = nextWindow(bar, task.from, task.to, this.#context.clock.now())
    const { period, untilMs } = window
    const answer = await askBars({ conid: task.conid, bar, period, outsideHours, source, ...(untilMs !== undefined && { untilMs }) }, {
      rest: this.#rest,
      signal: this.#signal,
      retryMs,
      retryMsMax,
      failed: async error => {
        this.#status.trouble('rest', error.message)
        if (error.transient) await this.#ready()
      }
    })
    this.#status.trouble('rest', undefined)
    const { rows, malformed, last, open } = this.#rows(task, answer, window)
    // A bar that is not complete is the last one to be had: the next run takes it.
    return { task, rows, malformed, last, next: open || window.to >= task.to ? undefined : window.to }
  }

  #rows ({ symbol, conid }: Instrument, answer: Readonly<Record<string, unknown>>, { from, to }: Window): Pick<Fetched, 'rows' | 'malformed' | 'last'> & { readonly open: boolean } {
    const now = this.#context.clock.now()
    const settled = this.#complete.settledMs(answer, now)
    const known = { symbol, conid, bar: this.#settings.bar, prices: this.#settings.source, source: 'history', backfill: false, complete: true, received_time: now }
    const rows: Row[] = []
    const malformed: Array<readonly [Row, string]> = []
    let last: number | undefined
    for (const bar of barsOf(answer).sort((a, b) => (a.start ?? 0) - (b.start ?? 0))) {
      const { start } = bar
      if (start === undefined) malformed.push([barRow(bar, answer, known), 'the bar does not say when it begins (t)'])
      else if (start < from || start >= to) continue
      else if (start === last) malformed.push([barRow(bar, answer, known), 'the answer has two bars that begin at the same time'])
      else if (this.#complete.endMs(start) > settled) return { rows, malformed, last, open: true }
      else {
        rows.push(barRow(bar, answer, known))
        last = start
      }
    }
    return { rows, malformed, last, open: false }
  }

  #malformed (row: Row, reason: string): void {
    this.#context.metrics.count('rows_malformed')
    this.#context.reject(row, reason)
  }

  /** Rejected once for each reason: without runs the same instrument is asked for again and again. */
  #refuse (row: { readonly symbol: string, readonly conid?: number }, reason: string): void {
    if (this.#refused.get(row.symbol) === reason) return
    this.#refused.set(row.symbol, reason)
    this.#context.reject(row, reason)
    this.#context.log.error({ ...row, reason }, 'An instrument cannot be read')
    this.#status.trouble('instruments', this.#refusals())
  }

  #accept (symbol: string): void {
    if (this.#refused.delete(symbol)) this.#status.trouble('instruments', this.#refused.size === 0 ? undefined : this.#refusals())
  }

  #refusals (): string {
    const shown = [...this.#refused.values()].slice(0, refusalsShown)
    const left = this.#refused.size - shown.length
    return left === 0 ? shown.join(' ') : `${shown.join(' ')} So it is with ${left} more.`
  }

  /** One at a time, whoever asks: it opens the brokerage session where there is none, and waits for a login. */
  #ready (): Promise<void> {
    this.#opening ??= this.#open().finally(() => { this.#opening = undefined })
    return this.#opening
  }

  async #open (): Promise<void> {
    try {
      if (await this.#session.ready() === undefined) return
      // Each new brokerage session wants this before it gives market data.
      await this.#rest.call('GET', 'iserver/accounts')
      this.#status.enter('reading')
    } catch (error) {
      if (!(error instanceof RestError)) throw error
      // Whoever asked for it finds out with the next request.
      if (!this.#signal.aborted) this.#status.trouble('rest', error.message)
    }
  }

  #penalty (until: number | undefined): void {
    if (until === undefined) return this.#status.trouble('penalty', undefined)
    const minutes = this.#settings.penaltyMs / 60_000
    this.#context.log.error({ minutes }, 'The gateway says that there were too many requests, so none are made for a while')
    this.#status.trouble('penalty', `Too many requests (429): none are made for ${minutes} minutes.`)
  }
}
