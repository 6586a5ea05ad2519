// A topic whose file was taken away begins anew, but not at offsets it has used before: destinations and records of what
// has landed know rows by their offset, and would take new rows for old ones. How often a topic began stands beside it.

import { readFileSync } from 'node:fs'
import { writeDurablySync } from '../durable.ts'
import { PlatformError } from '../errors.ts'

/** 10^12 rows: no topic reaches the next epoch, and 2^53 has room for 8,000 of them. */
const EPOCH_ROWS = 2 ** 40

/** The first offset of the topic file at `path`; `anew`: it has just been made. */
export function firstOffset (path: string, anew: boolean): number {
  const sidecar = `${path}.epoch`
  const known = read(sidecar)
  if (!anew) return (known ?? 0) * EPOCH_ROWS
  const epoch = known === undefined ? 0 : known + 1
  // Invariant 6: half of it, or nothing, would be an epoch of before.
  writeDurablySync(sidecar, String(epoch))
  return epoch * EPOCH_ROWS
}

/** Where the offsets of a copy of the topic begin: above all that it has used, also before its file was taken away. `next`: of its partitions. */
export function offsetBehind (path: string, next: readonly number[]): number {
  return (Math.max(read(`${path}.epoch`) ?? 0, ...next.map(offset => Math.floor(offset / EPOCH_ROWS))) + 1) * EPOCH_ROWS
}

function read (sidecar: string): number | undefined {
  let text: string
  try {
    text = readFileSync(sidecar, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  if (/^\d+$/.test(text.trim())) return Number(text)
  throw new PlatformError('BROKER_FRAME_CORRUPT', `The number of the topic's epoch is damaged: ${JSON.stringify(text.slice(0, 40))}`, {
    where: sidecar, remedy: 'Write a number into it that is larger than the greatest offset of this topic at any destination, divided by 2^40.'
  })
}
