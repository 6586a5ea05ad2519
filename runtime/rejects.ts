import { createHash } from 'node:crypto'
import { fromRows } from './batch.ts'
import { rejectedTopic } from './schema.ts'
import type { Batch, Row } from './batch.ts'
import type { Clock } from './plugin.ts'

export interface Refusal {
  readonly row: Row
  readonly reason: string
  readonly step: string
  /** Of the row in its topic; -1: it never reached the topic. */
  readonly partition: number
  readonly offset: number
}

const ROWS_A_BATCH = 1000
/** What is kept of a refused row that is larger: it has to fit into the rejected topic, with its reason. */
const ROW_CHARACTERS_MAX = 256 * 1024

/** Refused rows of one pipeline, collected until the loop makes them durable. */
export class Rejects {
  readonly #topic: string
  readonly #pipeline: string
  readonly #clock: Clock
  readonly #output: string
  #refusals: Refusal[] = []

  /** `output`: whose rows they were; empty: an input's. */
  constructor (topic: string, pipeline: string, clock: Clock, output = '') {
    this.#output = output
    this.#topic = topic
    this.#pipeline = pipeline
    this.#clock = clock
  }

  get length (): number {
    return this.#refusals.length
  }

  add (refusal: Refusal): void {
    this.#refusals.push({ ...refusal, row: cut(refusal.row) })
  }

  /** One for each: the same row refused for the same reason has the same one. */
  digests (): string[] {
    return this.#refusals.map(refusal => createHash('sha256').update(textOf(refusal)).digest('base64url').slice(0, 12))
  }

  /** What was collected, or some of it by its places, as batches of `<topic>.rejected`; the collection is empty afterwards. */
  take (places?: readonly number[]): Batch[] {
    const time = this.#clock.now()
    if (places !== undefined) this.#refusals = places.map(i => this.#refusals[i] as Refusal)
    const rows = this.#refusals.map(({ row, reason, step, partition, offset }) => ({ reason, row, pipeline: this.#pipeline, step, output: this.#output, partition, offset, time }))
    this.#refusals = []
    const batches: Batch[] = []
    for (let i = 0; i < rows.length; i += ROWS_A_BATCH) batches.push(fromRows(rejectedTopic(this.#topic), rows.slice(i, i + ROWS_A_BATCH)))
    return batches
  }
}

function cut (row: Row): Row {
  const text = textOf(row)
  return text.length <= ROW_CHARACTERS_MAX ? row : { cut: text.slice(0, ROW_CHARACTERS_MAX), characters: text.length }
}

function textOf (value: unknown): string {
  return JSON.stringify(value, (_, value: unknown) => typeof value === 'bigint' ? String(value) : value)
}
