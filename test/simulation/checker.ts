// What must hold after every step, whatever has failed: it looks at the topic, the databases and the lake from outside, as
// a reader does, and knows every row that the source has.
//
//   topic      each row is there once or rejected with a reason; in a partition they keep the order of the source
//   checkpoint all rows that it passes are durable (invariant 1)
//   commit     all rows below it are in the destination or rejected (invariant 2)
//   readers    each row once, as the source gave it, in one of the two databases; never fewer than before, also for who
//              pinned a boundary; the warehouse shows whole days
//   lake       each row in one listed file, which is there; never fewer than before

import { cell } from '../../runtime/batch.ts'
import { applyCommit, commitName, decodeCommit, nothing } from '../../runtime/lake/commit.ts'
import { rejectedTopic } from '../../runtime/schema.ts'
import { PARTITIONS, STREAMING_GROUP, topic } from './project.ts'
import type { Batch } from '../../runtime/batch.ts'
import type { Broker } from '../../runtime/broker/broker.ts'
import type { State } from '../../runtime/lake/commit.ts'
import type { Json } from '../../runtime/plugin.ts'
import type { Engine } from './engine.ts'
import type { Bucket } from './objects.ts'
import type { SourceRow } from './project.ts'

export class Violation extends Error {}

/** What a reader sees, by position. */
type Seen = ReadonlyMap<string, number>

interface Pin {
  readonly seq: number
  readonly seen: Seen
  readonly until: number
}

interface Refused { readonly output: string, readonly position: string, readonly n: number }

const READER_PINS_MAX = 4

export interface CheckerParts {
  readonly rows: readonly SourceRow[]
  readonly broker: Broker
  readonly random: () => number
  /** How long a reader may hold on to a boundary. */
  readonly pinMs: number
  /** The streaming database, and the warehouse: one engine or two. */
  engines (): { readonly streaming: Engine, readonly warehouse: Engine }
  bucket (): Bucket
  readonly now: () => number
}

export class Checker {
  readonly #parts: CheckerParts
  /** By partition, the number of the row at each offset. */
  readonly topic: number[][] = Array.from({ length: PARTITIONS }, () => [])
  readonly #taken = new Set<number>()
  readonly refused: Refused[] = []
  readonly #refusedAt = new Set<string>()
  #refusedNext = 0
  seen: Seen = new Map()
  #pins: Pin[] = []
  #lake: State = nothing
  readonly #checked = new Map<string, number>()

  constructor (parts: CheckerParts) {
    this.#parts = parts
  }

  get lake (): State {
    return this.#lake
  }

  /** Rows that came to a topic, and a checkpoint that goes with them. */
  async appended (name: string, checkpoint: Json | undefined): Promise<void> {
    await this.#readTopic()
    await this.#readRefused()
    if (name !== topic.name || checkpoint === undefined) return
    for (let n = 0; n < (checkpoint as number); n++) if (!this.#taken.has(n)) throw new Violation(`invariant 1: the checkpoint ${String(checkpoint)} passes row ${n}, which is not durable`)
  }

  /** An offset that a group has committed. */
  async committed (group: string, partition: number, offset: number): Promise<void> {
    await this.#readTopic()
    await this.#readRefused()
    const key = `${group}/${partition}`
    for (let at = this.#checked.get(key) ?? 0; at < offset; at++) {
      const [held, refused] = group === STREAMING_GROUP ? [this.seen.has(`${partition}:${at}`), this.#refusedAt.has(`${partition}:${at}`)] : [this.#inLake(partition, at), false]
      if (!held && !refused) throw new Violation(`invariant 2: ${key} has committed ${offset}, and row ${this.topic[partition]?.[at]} at ${at} is not in the destination`)
      if (held && refused) throw new Violation(`invariant 4: row ${this.topic[partition]?.[at]} at ${at} of partition ${partition} is stored and rejected`)
    }
    this.#checked.set(key, Math.max(offset, this.#checked.get(key) ?? 0))
  }

  /** Rows of a database have come or gone. */
  rowsChanged (): void {
    const { warehouse } = this.#parts.engines()
    const [{ seq }] = warehouse.read<{ seq: number }>('SELECT ifnull(max(seq), 0) AS seq FROM `warehouse`.`_boundary`') as [{ seq: number }]
    const seen = this.#see(seq)
    checkSuperset(seen, this.seen, `a reader at boundary ${seq}`)
    this.seen = seen
    const now = this.#parts.now()
    this.#pins = this.#pins.filter(({ until }) => until > now)
    const pin = this.#pins[Math.floor(this.#parts.random() * this.#pins.length)]
    if (pin !== undefined && pin.seq !== seq) checkSuperset(this.#see(pin.seq), pin.seen, `a reader that has pinned boundary ${pin.seq}`)
    if (this.#pins.length < READER_PINS_MAX && this.#parts.random() < 0.1) this.#pins.push({ seq, seen, until: now + this.#parts.random() * this.#parts.pinMs })
  }

  /** An object of the lake has come or gone. */
  lakeChanged (name: string): void {
    const { objects } = this.#parts.bucket()
    let state = this.#lake
    for (;;) {
      const bytes = objects.get(commitName(topic.name, state.seq + 1))?.bytes
      if (bytes === undefined) break
      state = applyCommit(state, decodeCommit(bytes, { topic: topic.name, seq: state.seq + 1, where: name }), name)
    }
    const last = objects.get(commitName(topic.name, state.seq))
    if (state.seq > 0 && last !== undefined && decodeCommit(last.bytes, { topic: topic.name, seq: state.seq, where: name }).hash !== state.hash) throw new Violation(`the commit ${state.seq} of the lake was replaced`)
    const before = this.#lake
    this.#lake = state
    for (const file of state.files) if (!objects.has(file.name)) throw new Violation(`the lake lists ${file.name}, which is not there`)
    for (const { partition, from, to } of before === state ? [] : before.files) {
      for (let at = from; at < to; at++) if (!this.#inLake(partition, at)) throw new Violation(`the lake has lost the row at ${at} of partition ${partition}`)
    }
  }

  /** Everything that the topic has is in the destinations, and everything that the source has is in the topic or rejected. */
  final (): string[] {
    const missing: string[] = []
    for (const { n, fate } of this.#parts.rows) {
      const inTopic = this.topic.some(partition => partition.includes(n))
      const refused = this.refused.filter(row => row.n === n)
      if (inTopic === (fate === 'input')) missing.push(`row ${n} is ${inTopic ? '' : 'not '}in the topic`)
      if (refused.length !== (fate === 'stored' ? 0 : 1)) missing.push(`row ${n} is rejected ${refused.length} times`)
    }
    for (const [partition, rows] of this.topic.entries()) {
      for (const [at, n] of rows.entries()) {
        const stored = this.#parts.rows[n]?.fate === 'stored'
        if (this.seen.has(`${partition}:${at}`) !== stored) missing.push(`row ${n} is ${stored ? 'not ' : ''}in the databases`)
        if (!this.#inLake(partition, at)) missing.push(`row ${n} is not in the lake`)
      }
    }
    return missing
  }

  /** The whole text of every file that the lake lists. */
  checkLakeFiles (): void {
    for (const { name, partition, from, to } of this.#lake.files) {
      const rows = JSON.parse(Buffer.from(this.#parts.bucket().objects.get(name)?.bytes ?? []).toString()) as number[]
      const wanted = this.topic[partition]?.slice(from, to)
      if (JSON.stringify(rows) !== JSON.stringify(wanted)) throw new Violation(`the file ${name} has rows ${rows.join(' ')}, and the topic ${wanted?.join(' ')}`)
    }
  }

  async #readTopic (): Promise<void> {
    const reader = await this.#parts.broker.reader(topic)
    for (const [partition, rows] of this.topic.entries()) {
      await readOn(reader, partition, rows.length, batch => {
        for (const n of numbersOf(batch, 'n')) {
          if (this.#taken.has(n)) throw new Violation(`row ${n} is in the topic, and came again to partition ${partition}`)
          if ((rows.at(-1) ?? -1) > n) throw new Violation(`row ${n} came after row ${rows.at(-1)} to partition ${partition}`)
          this.#taken.add(n)
          rows.push(n)
        }
      })
    }
  }

  async #readRefused (): Promise<void> {
    const rejected = rejectedTopic(topic.name)
    if (!(await this.#parts.broker.topics()).includes(rejected.name)) return
    const reader = await this.#parts.broker.reader(rejected)
    this.#refusedNext = await readOn(reader, 0, this.#refusedNext, batch => {
      for (const row of batch.rows()) this.#refuse(row as unknown as RejectedRow)
    })
  }

  #refuse ({ row, reason, output, partition, offset }: RejectedRow): void {
    const n = Number(row.n)
    const position = `${partition}:${offset}`
    if (reason === '') throw new Violation(`row ${n} is rejected without a reason`)
    if (offset < 0) this.#taken.add(n)
    else this.#refusedAt.add(position)
    if (this.refused.some(other => other.n === n && other.output === output)) throw new Violation(`row ${n} is rejected twice`)
    this.refused.push({ output, position, n })
  }

  /** What a reader that is pinned to a boundary sees: the rule of runtime/warehouse/boundary.ts. */
  #see (seq: number): Seen {
    const { streaming, warehouse } = this.#parts.engines()
    const current = (engine: Engine): Current[] => engine.read(`SELECT day, version, offsets, max(seq) AS seq FROM \`warehouse\`.\`_boundary\` WHERE seq <= ${seq} GROUP BY topic, day`)
    const versions = new Set(current(warehouse).map(({ version }) => version))
    const ends = new Map(current(streaming).map(({ day, offsets }) => [day, JSON.parse(offsets) as Record<string, number>]))
    const history = warehouse.read<Stored>('SELECT _partition, _offset, n, at, price, _version FROM `warehouse`.`quotes`').filter(({ _version }) => _version === 0 || versions.has(_version as number))
    const realtime = streaming.read<Stored>('SELECT _partition, _offset, n, at, price FROM `streaming`.`quotes`').filter(({ _partition, _offset, at }) =>
      _offset >= (ends.get(new Date(at).toISOString().slice(0, 10))?.[_partition] ?? -Infinity))
    const seen = new Map<string, number>()
    for (const { _partition, _offset, n, at, price } of [...history, ...realtime]) {
      const key = `${_partition}:${_offset}`
      const source = this.#parts.rows[n]
      if (seen.has(key)) throw new Violation(`a reader at boundary ${seq} sees row ${n} at ${_offset} of partition ${_partition} twice`)
      if (source?.at !== at || source.price !== String(price) || this.topic[_partition]?.[_offset] !== n) throw new Violation(`a reader sees row ${n} at ${_offset} of partition ${_partition}, which is another one than the source gave`)
      seen.set(key, n)
    }
    return seen
  }

  #inLake (partition: number, at: number): boolean {
    return this.#lake.files.some(file => file.partition === partition && file.from <= at && at < file.to)
  }
}

interface Current { readonly day: string, readonly version: number, readonly offsets: string }
interface Stored { readonly _partition: number, readonly _offset: number, readonly n: number, readonly at: number, readonly price: number, readonly _version?: number }
interface RejectedRow { readonly row: { readonly n?: unknown }, readonly reason: string, readonly output: string, readonly partition: number, readonly offset: number }

function checkSuperset (seen: Seen, before: Seen, who: string): void {
  for (const [position, n] of before) if (!seen.has(position)) throw new Violation(`${who} does not see row ${n} at ${position} any more`)
}

async function readOn (reader: Awaited<ReturnType<Broker['reader']>>, partition: number, from: number, take: (batch: Batch) => void): Promise<number> {
  for (let offset = from; ;) {
    const { batches, next } = await reader.read(partition, offset, { rows: 1e6, bytes: Infinity })
    for (const batch of batches) take(batch)
    if (next === offset) return offset
    offset = next
  }
}

function numbersOf (batch: Batch, name: string): number[] {
  const column = batch.columns[name]
  return column === undefined ? [] : Array.from({ length: batch.length }, (_, i) => Number(cell(column, i)))
}
