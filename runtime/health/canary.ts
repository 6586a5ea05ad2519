// The canary: a row a minute that goes the way of all rows, and when it was found at each hop. Green means that it
// arrived: a hop that cannot be asked, and one where the row is late, is not.
//
//   a look, each LOOK_MS   newest row of the topic ▶ new? remember it ▶ ask the hops that have committed it

import { describe } from '../errors.ts'
import { CANARY, Finder, hopsOf } from './canary-hops.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { Broker, TopicState } from '../broker/broker.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Topic } from '../schema.ts'
import type { Hop } from './canary-hops.ts'

/** Hops are measured that finely. */
const LOOK_MS = 1000
/** A row comes each minute. */
const PERIOD_MS = 60_000
/** Of the rows that are remembered: three days. */
export const ROWS_MAX = 4320
/** Rows that are still looked for. */
const PENDING_MAX = 15
const ASK_MS_MAX = 10_000

export interface FoundAt {
  readonly hop: string
  /** ms since 1970; 0: not found yet. */
  readonly at: number
  /** Since the connector made the row. */
  readonly ms: number
}

/** One row. */
export interface CanaryRow {
  readonly offset: number
  /** When the connector made it, ms since 1970. */
  readonly sentAt: number
  readonly hops: readonly FoundAt[]
}

/** `absent`: no pipeline sends it; `waiting`: none was seen since the start, and there was no time for one. */
export type CanaryVerdict = 'ok' | 'late' | 'absent' | 'waiting'

export interface HopState {
  readonly hop: string
  readonly pipeline: string
  readonly step: string
  readonly state: 'ok' | 'waiting' | 'late'
  /** When the newest row that is there was found, ms since 1970; 0: none. */
  readonly at: number
  /** What that row took from the connector. */
  readonly ms: number
  /** Why it is late; empty: it is not. */
  readonly reason: string
}

export interface CanaryState {
  readonly state: CanaryVerdict
  /** When the newest row was made that has been found everywhere, ms since 1970; 0: none. */
  readonly at: number
  readonly hops: readonly HopState[]
}

export interface CanaryParts {
  readonly database: DatabaseSync
  readonly broker: Pick<Broker, 'inspect' | 'tail'>
  readonly clickhouse: string | undefined
  readonly warehouse: string | undefined
  readonly dataFolder: string
  pipelines (): Iterable<Pipeline>
  schema (): Topic | undefined
  /** Nothing is looked for elsewhere. */
  isControl (): boolean
  /** ms since 1970. */
  now? (): number
}

interface Seen { offset: number, sentAt: number, /** Of the steady clock. */ readonly noticed: number, readonly found: Map<string, number>, kept: number }

export class Canary {
  readonly #parts: CanaryParts
  readonly #finder: Finder
  readonly #stop = new AbortController()
  /** Of a clock that is never set: one that was set back would keep a canary from ever being late. */
  readonly #began: number
  /** Rows below that offset are from before the start: where they were found when, nobody has seen. */
  #from: number | undefined
  readonly #pending: Seen[] = []
  /** Of the newest row that was found at a hop. */
  readonly #last = new Map<string, { readonly sentAt: number, readonly at: number, readonly noticed: number }>()
  readonly #trouble = new Map<string, string>()
  #newest: Seen | undefined
  #complete = { offset: -1, at: 0 }
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined

  constructor (parts: CanaryParts) {
    this.#parts = parts
    this.#finder = new Finder(parts)
    this.#began = this.#steady()
    parts.database.exec('create table if not exists canary (sent_at integer primary key, position integer not null, hops text not null) strict')
  }

  open (): void {
    this.#timer = setInterval(() => { void this.look() }, LOOK_MS)
  }

  async close (): Promise<void> {
    clearInterval(this.#timer)
    this.#stop.abort()
    await this.#looking
    await this.#finder.close()
  }

  /** One look; those that are asked for meanwhile wait for it. Never throws. */
  look (): Promise<void> {
    this.#looking ??= this.#look().catch((error: unknown) => { this.#trouble.set('topic', describe(error)) }).finally(() => { this.#looking = undefined })
    return this.#looking
  }

  get state (): CanaryState {
    const hops = hopsOf(this.#parts.pipelines())
    const states = hops.map(hop => this.#stateOf(hop))
    const state = hops.length === 0 ? 'absent' : states.some(({ state }) => state === 'late') ? 'late' : this.#complete.at === 0 ? 'waiting' : 'ok'
    return { state, at: this.#complete.at, hops: states }
  }

  /** Rows of the past, newest first. */
  history (limit: number): CanaryRow[] {
    const rows = this.#parts.database.prepare('select sent_at as sentAt, position as offset, hops from canary order by sent_at desc limit ?').all(limit) as Array<{ sentAt: number, offset: number, hops: string }>
    return rows.map(({ hops, ...row }) => ({ ...row, hops: JSON.parse(hops) as FoundAt[] }))
  }

  async #look (): Promise<void> {
    const hops = hopsOf(this.#parts.pipelines())
    if (hops.length === 0 || !this.#parts.isControl()) return
    const topic = await this.#parts.broker.inspect(CANARY)
    if (topic === undefined) return
    await this.#noticeNewest(topic)
    for (const hop of hops) await this.#lookAt(hop, topic)
    for (const seen of [...this.#pending]) this.#settle(seen, hops)
  }

  async #noticeNewest ({ partitions }: TopicState): Promise<void> {
    const next = partitions[0]?.next ?? 0
    this.#from ??= next
    const schema = this.#parts.schema()
    if (schema === undefined || next === 0 || next - 1 <= (this.#newest?.offset ?? -1)) return
    const batch = (await this.#parts.broker.tail(schema, 1)).at(-1)
    const sentAt = Number(batch?.row(batch.length - 1)['sent_at'])
    if (batch === undefined || !Number.isFinite(sentAt)) return
    if (batch.offsetAt(batch.length - 1) < this.#from) return
    const seen: Seen = { offset: batch.offsetAt(batch.length - 1), sentAt, noticed: this.#steady(), found: new Map([['connector', batch.position.time], ['topic', this.#now()]]), kept: 0 }
    this.#trouble.delete('topic')
    for (const [hop, at] of seen.found) this.#arrived(hop, seen, at)
    this.#newest = seen
    this.#pending.push(seen)
    for (const old of this.#pending.splice(0, this.#pending.length - PENDING_MAX)) this.#keep(old)
  }

  async #lookAt (hop: Hop, { groups }: TopicState): Promise<void> {
    const committed = groups.find(({ group, partition }) => group === hop.group && partition === 0)?.offset ?? 0
    const there = this.#pending.filter(({ offset, found }) => offset < committed && !found.has(hop.hop))
    // The newest one first: a look that finds it has found those before it as well.
    const newest = there.at(-1)
    if (newest === undefined) return
    try {
      if (!await this.#finder.finds(hop, newest.offset, AbortSignal.any([this.#stop.signal, AbortSignal.timeout(ASK_MS_MAX)]))) {
        this.#trouble.set(hop.hop, `the row ${newest.offset} is not there, although ${hop.pipeline} says that it has stored it`)
        return
      }
      const at = this.#now()
      for (const seen of there) seen.found.set(hop.hop, at)
      this.#arrived(hop.hop, newest, at)
      this.#trouble.delete(hop.hop)
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#trouble.set(hop.hop, describe(error))
    }
  }

  #settle (seen: Seen, hops: readonly Hop[]): void {
    const done = hops.every(({ hop }) => seen.found.has(hop))
    if (done && seen.offset > this.#complete.offset) this.#complete = { offset: seen.offset, at: seen.sentAt }
    const given = this.#now() - seen.sentAt > Math.max(...hops.map(({ msMax }) => msMax))
    if (!done && !given) return
    if (seen.kept !== seen.found.size) this.#keep(seen)
    if (done) this.#pending.splice(this.#pending.indexOf(seen), 1)
  }

  #keep (seen: Seen): void {
    seen.kept = seen.found.size
    const hops: FoundAt[] = hopsOf(this.#parts.pipelines()).map(({ hop }) => ({ hop, at: seen.found.get(hop) ?? 0, ms: Math.max(0, (seen.found.get(hop) ?? seen.sentAt) - seen.sentAt) }))
    this.#parts.database.prepare('insert or replace into canary (sent_at, position, hops) values (?, ?, ?)').run(seen.sentAt, seen.offset, JSON.stringify(hops))
    this.#parts.database.prepare('delete from canary where sent_at <= (select sent_at from canary order by sent_at desc limit 1 offset ?)').run(ROWS_MAX)
  }

  #stateOf ({ hop, pipeline, step, msMax }: Hop): HopState {
    const last = this.#last.get(hop)
    const place = { hop, pipeline, step, at: last?.at ?? 0, ms: last === undefined ? 0 : Math.max(0, last.at - last.sentAt) }
    // Each row has its time, and the next one comes a period later; at the start nothing can have been seen before.
    const passed = this.#steady() - Math.max(last?.noticed ?? 0, this.#began)
    const late = passed - PERIOD_MS - msMax
    if (late > 0) return { ...place, state: 'late', reason: this.#trouble.get(hop) ?? `no row for ${Math.round(passed / 1000)} s, and ${Math.round((PERIOD_MS + msMax) / 1000)} s is the most that one may take` }
    return { ...place, state: last === undefined ? 'waiting' : 'ok', reason: '' }
  }

  #arrived (hop: string, { sentAt, noticed }: Seen, at: number): void {
    this.#last.set(hop, { sentAt, at, noticed })
  }

  #steady (): number {
    return (this.#parts.now ?? performance.now.bind(performance))()
  }

  #now (): number {
    return (this.#parts.now ?? Date.now)()
  }
}
