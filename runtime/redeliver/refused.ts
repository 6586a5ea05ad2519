// The rows of `<topic>.rejected` as redelivery reads them.

import type { Batch, Row } from '../batch.ts'
import type { Reader } from '../broker/broker.ts'

/** Rows that are in memory at a time, and their size. */
const WINDOW = { rows: 5000, bytes: 16 * 2 ** 20 }

/** A refused row (rejects.ts). */
export interface RefusedRow {
  /** Of this record in the rejected topic; it names the refusal. */
  readonly at: number
  readonly reason: string
  readonly pipeline: string
  /** The input, transform or output that refused it, or `topic`. */
  readonly step: string
  /** The output that goes without the row; empty: all of them. */
  readonly output: string
  /** Of the row in its topic; -1: it never reached the topic. */
  readonly partition: number
  readonly offset: number
  /** When it was refused, ms since 1970. */
  readonly time: number
  readonly row: Row
}

/** Which of the refused rows are meant. */
export interface Selection {
  /** A text that the reason contains. */
  readonly reason?: string | undefined
  /** The name of the step, or the end of it: `mapping` is `transforms.mapping`. */
  readonly step?: string | undefined
}

export function isSelected ({ reason = '', step }: Selection, refused: RefusedRow): boolean {
  return refused.reason.includes(reason) && (step === undefined || refused.step === step || refused.step.endsWith(`.${step}`))
}

/** What rejects.ts leaves of a row that is too large. */
export function isCut (row: Row): boolean {
  return typeof row['cut'] === 'string' && typeof row['characters'] === 'number' && Object.keys(row).length === 2
}

export interface RefusedWindow {
  readonly rows: readonly RefusedRow[]
  /** Where the next window begins. */
  readonly next: number
}

/** All refused rows from an offset on that the topic holds now, oldest first. A rejected topic has one partition. */
export async function * refusedRows (reader: Reader, from: number): AsyncGenerator<RefusedWindow, void, void> {
  const { first, next } = await reader.bounds(0)
  for (let at = Math.max(first, from); at < next;) {
    const found = await reader.read(0, at, { ...WINDOW, to: next })
    if (found.next === at) return
    at = found.next
    yield { rows: found.batches.flatMap(rowsOf), next: at }
  }
}

function rowsOf (batch: Batch): RefusedRow[] {
  return Array.from({ length: batch.length }, (_, i) => {
    const { reason, row, pipeline, step, output, partition, offset, time } = batch.row(i)
    return {
      at: batch.offsetAt(i),
      reason: String(reason),
      pipeline: String(pipeline),
      step: String(step),
      output: String(output ?? ''),
      partition: Number(partition),
      offset: Number(offset),
      time: Number(time),
      row: typeof row === 'object' && row !== null ? row as Row : {}
    }
  })
}
