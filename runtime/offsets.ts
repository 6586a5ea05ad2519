import type { Batch } from './batch.ts'
import type { Range } from './plugin.ts'

/** Which offsets of [from, to) hold rows, small enough to be kept with every write: a bit an offset, or nothing when all do. */
export interface OffsetSet {
  readonly from: number
  readonly to: number
  /** Base64, lowest bit first; absent: every offset. */
  readonly bits?: string
}

/** The offsets that `batches` hold within a range. */
export function offsetSet ({ from, to }: Pick<Range, 'from' | 'to'>, batches: readonly Batch[]): OffsetSet {
  const bits = Buffer.alloc(Math.ceil((to - from) / 8))
  let rows = 0
  for (const batch of batches) {
    for (let i = 0; i < batch.length; i++) {
      const bit = batch.offsetAt(i) - from
      bits[bit >> 3] = (bits[bit >> 3] as number) | (1 << (bit & 7))
    }
    rows += batch.length
  }
  return rows === to - from ? { from, to } : { from, to, bits: bits.toString('base64') }
}

/** The offsets of a set that are in a range, ascending. */
export function offsetsOf (set: OffsetSet | undefined, range: Pick<Range, 'from' | 'to'>): Float64Array {
  if (set === undefined) return new Float64Array(0)
  const bits = set.bits === undefined ? undefined : Buffer.from(set.bits, 'base64')
  const found: number[] = []
  for (let offset = Math.max(set.from, range.from); offset < Math.min(set.to, range.to); offset++) {
    const bit = offset - set.from
    if (bits === undefined || ((bits[bit >> 3] as number) & (1 << (bit & 7))) !== 0) found.push(offset)
  }
  return Float64Array.from(found)
}
