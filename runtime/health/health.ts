// The health of the platform: a look each LOOK_MS on the control side, which is remembered. Answers come from the newest
// look, so that asking costs nothing, however often and by whomever it is done.

import { describe } from '../errors.ts'
import { Canary } from './canary.ts'
import { CANARY } from './canary-hops.ts'
import { engineNotes } from './engine-notes.ts'
import { FactFinder } from './facts.ts'
import { judge } from './verdict.ts'
import { HealthRecord } from './record.ts'
import type { Platform } from '../platform.ts'
import type { Facts, Note } from './facts.ts'
import type { Problem, Verdict } from './verdict.ts'

export const LOOK_MS = 15_000
/** Pipelines and database begin meanwhile. */
const FIRST_LOOK_MS = 3000
/** A verdict that is older is made anew when somebody asks. */
const FRESH_MS = 5000
const FULL_DAYS_MIN = 14

export type HealthPlatform = Pick<Platform, 'broker' | 'supervisor' | 'clickhouse' | 'warehouse' | 'config' | 'store' | 'jobs' | 'fleet' | 'root' | 'log' | 'engine'>

/** What somebody does after each look, such as the alerts. Must not throw. */
export type Watcher = (verdict: Verdict, facts: Facts) => void | Promise<void>

export class Health {
  readonly canary: Canary
  readonly record: HealthRecord
  readonly #platform: HealthPlatform
  readonly #facts: FactFinder
  readonly #sources: Array<() => readonly Note[]> = []
  readonly #watchers: Watcher[] = []
  #newest: { readonly verdict: Verdict, readonly facts: Facts, readonly at: number } | undefined
  #looking: Promise<Verdict> | undefined
  #timer: NodeJS.Timeout | undefined
  #clock = Date.now() - performance.now()
  /** The last time that the clock was set. */
  #jump = { ms: 0, at: -Infinity }
  #closed = false
  /** Of the engine, at the look before. */
  #outOfSpace = 0
  #hadNoSpace = false
  #mendedAt = -Infinity
  #storeTrouble = ''
  /** Until then control.db is not asked again. */
  #forgetsUntil = -Infinity

  constructor (platform: HealthPlatform) {
    const { store, broker, clickhouse, warehouse, config, supervisor, fleet } = platform
    this.#platform = platform
    this.record = new HealthRecord(store.database)
    this.#facts = new FactFinder(platform)
    this.canary = new Canary({
      database: store.database,
      broker,
      clickhouse,
      warehouse,
      dataFolder: config.dataFolder,
      pipelines: () => supervisor.files.pipelines.values(),
      schema: () => supervisor.schemas.get(CANARY),
      isControl: () => fleet.isControl
    })
  }

  open (): void {
    this.canary.open()
    const next = (ms: number): void => {
      this.#timer = setTimeout(() => {
        this.look().catch((error: unknown) => this.#platform.log.error({ reason: describe(error) }, 'The health could not be told')).finally(() => { if (!this.#closed) next(LOOK_MS) })
      }, ms)
    }
    next(FIRST_LOOK_MS)
  }

  async close (): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#looking?.catch(() => { /* It was told to whoever asked. */ })
    await this.canary.close()
  }

  /** Another part of the control side tells its own faults at each look. */
  addSource (source: () => readonly Note[]): void {
    this.#sources.push(source)
  }

  /** Called after each look on the control side. */
  addWatcher (watcher: Watcher): void {
    this.#watchers.push(watcher)
  }

  /** The newest verdict, made anew where it is older than `msMax`. */
  async verdict (msMax = FRESH_MS): Promise<Verdict> {
    const newest = this.#newest
    return newest !== undefined && performance.now() - newest.at <= msMax ? newest.verdict : this.look()
  }

  /** The newest look, however old; undefined: there was none. */
  get newest (): { readonly verdict: Verdict, readonly facts: Facts } | undefined {
    return this.#newest
  }

  /** A look now; those who ask meanwhile share it. */
  look (): Promise<Verdict> {
    this.#looking ??= this.#look().finally(() => { this.#looking = undefined })
    return this.#looking
  }

  async #look (): Promise<Verdict> {
    const facts = await this.#facts.find(this.canary.state, [...this.#clockNotes(), ...this.#storeNotes(), ...engineNotes(this.#platform.engine?.ends.newest ?? []), ...this.#sources.flatMap(source => this.#remember(source) ?? [])])
    const { disk, now } = facts
    const grown = disk.known ? this.#remember(() => this.record.sample(disk.value.freeBytes, now)) : undefined
    const verdict = judge(grown === undefined || grown > FULL_DAYS_MIN ? facts : { ...facts, notes: [...facts.notes, diskNote(grown)] })
    this.#newest = { verdict, facts, at: performance.now() }
    this.#mendEngine(facts)
    if (this.#closed || !this.#platform.fleet.isControl) return verdict
    if (performance.now() >= this.#forgetsUntil) {
      try {
        this.record.note(verdict)
        this.#storeTrouble = ''
      } catch (error) {
        this.#forget(error)
        this.#storeTrouble = describe(error)
      }
    }
    for (const watcher of this.#watchers) await watcher(verdict, facts)
    return verdict
  }

  /**
   * Where it could not write, as on a full disk, the embedded engine may end a merge with a part that lacks its rows; while
   * it has the sources, for eight minutes, it takes them again at a start.
   */
  #mendEngine ({ now, engine, disk }: Facts): void {
    if (!engine.known || this.#platform.engine === undefined) return
    const { outOfSpace, unreadable } = engine.value
    if (outOfSpace > this.#outOfSpace) this.#hadNoSpace = true
    this.#outOfSpace = outOfSpace
    if (!disk.known || disk.value.freeBytes < ROOM_BYTES_MIN) return
    // What was lost stays lost, and is told by health: it is no reason to start it again and again.
    const unread = unreadable > 0 && now - this.#mendedAt > MEND_EVERY_MS
    if (!this.#hadNoSpace && !unread) return
    this.#hadNoSpace = false
    this.#mendedAt = now
    this.#platform.log.warn({ freeBytes: disk.value.freeBytes, unreadable }, unread
      ? 'The embedded ClickHouse cannot read what it has stored: it is restarted, so that it takes what the damaged part was merged from'
      : 'There is room on the disk again: the embedded ClickHouse is restarted, so that it mends what it could not write')
    this.#platform.engine.restart()
  }

  /** Since when a problem is there, ms since 1970. */
  since (problem: Pick<Problem, 'id'>, at: number): number {
    return this.#remember(() => this.record.since(problem, at)) ?? at
  }

  /** Notes that a user looks now, and says since when they have not, ms since 1970. */
  lookOf (user: string): number {
    const now = Date.now()
    return this.#remember(() => this.record.look(user, now)) ?? now
  }

  /**
   * On a full disk, or while another program holds control.db, nothing can be remembered, and just then the health has to
   * be told; that it is so, the look itself notes.
   */
  #remember<T> (ask: () => T): T | undefined {
    if (performance.now() < this.#forgetsUntil) return undefined
    try {
      return ask()
    } catch (error) {
      this.#forget(error)
      return undefined
    }
  }

  /** Each try waits for the lock of the file, and all requests with it: there is one in a while. */
  #forget (error: unknown): void {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) this.#forgetsUntil = performance.now() + FORGETS_MS
  }

  #storeNotes (): Note[] {
    if (this.#storeTrouble === '') return []
    return [{ part: 'control.db', severity: 'error', cause: `The state of the control side cannot be written: ${this.#storeTrouble}`, remedy: 'Look whether the disk of the data folder is full or read-only, and whether another program holds data/control.db. Jobs, logins and changes wait meanwhile; pipelines go on.' }]
  }

  /** A clock that jumps makes schedules and ages wrong. */
  #clockNotes (): Note[] {
    const moved = Date.now() - performance.now() - this.#clock
    const hasJumped = Math.abs(moved) >= CLOCK_JUMP_MS
    // Slow drift is followed.
    this.#clock += hasJumped ? moved : moved / 10
    if (hasJumped) this.#jump = { ms: moved, at: performance.now() }
    const { ms, at } = this.#jump
    if (performance.now() - at > JUMP_TOLD_MS) return []
    return [{ part: 'clock', severity: 'warning', cause: `The clock of this machine was set ${ms > 0 ? 'forward' : 'back'} by ${Math.round(Math.abs(ms) / 1000)} s`, remedy: 'Schedules and ages of rows go by it: let it follow a time server (NTP).' }]
  }
}

/** SQLite's code for a file that somebody else has locked. */
const SQLITE_BUSY = 5
/** Between two tries to write to such a control.db. */
const FORGETS_MS = 30_000
const CLOCK_JUMP_MS = 5000
/** So long it is worth a look. */
const JUMP_TOLD_MS = 600_000
/** The engine can merge again. */
const ROOM_BYTES_MIN = 512 * 2 ** 20
const MEND_EVERY_MS = 10 * 60_000

function diskNote (days: number): Note {
  return { part: 'disk', severity: 'warning', cause: `At the pace of the last days the disk is full in ${Math.max(1, Math.round(days))} days`, remedy: 'Shorten the retention of topics or the realtime period, or take a larger disk.' }
}
