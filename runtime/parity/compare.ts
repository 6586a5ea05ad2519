// Two sides of a day, compared: first by sums that people can read, then by hashes that miss nothing.

import { noRows } from '../warehouse/digest.ts'
import { KEYS_MAX } from './sides.ts'
import type { Range, Side } from './sides.ts'
import type { Digest } from '../warehouse/digest.ts'

/** Differences that are shown. */
const SHOWN_MAX = 20
const VALUE_CHARACTERS_MAX = 200

export interface Check {
  /** Such as `rows` or `sum of price`. */
  readonly what: string
  readonly lake: string
  readonly lane: string
  readonly same: boolean
}

/** A position at which the sides differ. */
export interface Difference {
  readonly partition: number
  readonly offset: number
  /** `missing`: not in the lane; `extra`: only there. */
  readonly kind: 'missing' | 'extra' | 'changed'
  /** The first column that differs, and its values; undefined: the row is on one side only, or is there more than once. */
  readonly column?: string
  readonly lake?: string | null
  readonly lane?: string | null
}

export interface Comparison {
  readonly checks: readonly Check[]
  /** The first ones, by partition and offset. */
  readonly differences: readonly Difference[]
}

export interface Compared {
  readonly key: readonly string[]
  /** Columns whose sums are compared. */
  readonly numbers: readonly string[]
  readonly columns: readonly string[]
}

export async function compare (lake: Side, lane: Side, { key, numbers, columns }: Compared): Promise<Comparison> {
  const [expected, actual] = [await lake.buckets(), await lane.buckets()]
  const places = [...new Set([...expected.keys(), ...actual.keys()])].filter(place => !isSame(expected.get(place) ?? noRows, actual.get(place) ?? noRows))
  const checks = [
    check('rows', rowsOf(expected), rowsOf(actual)),
    ...key.length === 0 ? [] : await keyChecks(lake, lane, key)
  ]
  for (const column of numbers) checks.push(...rangeChecks(column, await lake.range(column), await lane.range(column)))
  checks.push({ what: 'hash of all columns', lake: hashOf(expected), lane: hashOf(actual), same: places.length === 0 })
  return { checks, differences: await differencesOf(lake, lane, places.sort(byPlace), columns) }
}

function check (what: string, lake: number | string, lane: number | string): Check {
  return { what, lake: String(lake), lane: String(lane), same: lake === lane }
}

async function keyChecks (lake: Side, lane: Side, key: readonly string[]): Promise<Check[]> {
  const [expected, actual] = [await lake.keys(key), await lane.keys(key)]
  if (expected === undefined || actual === undefined) return [{ what: `keys (${key.join(', ')})`, lake: `more than ${KEYS_MAX}`, lane: 'not compared one by one', same: true }]
  const differ = [...new Set([...expected.keys(), ...actual.keys()])].filter(one => expected.get(one) !== actual.get(one))
  const shown = differ.slice(0, SHOWN_MAX).map(one => check(`rows of ${one}`.slice(0, VALUE_CHARACTERS_MAX), expected.get(one) ?? 0, actual.get(one) ?? 0))
  return [check(`keys (${key.join(', ')})`, expected.size, actual.size), ...shown]
}

function rangeChecks (column: string, lake: Range, lane: Range): Check[] {
  // The order of the rows decides the last digits of a sum.
  const same = Math.abs(lake.sum - lane.sum) <= 1e-9 * Math.max(Math.abs(lake.sum), Math.abs(lane.sum)) || Object.is(lake.sum, lane.sum)
  return [
    { what: `sum of ${column}`, lake: String(lake.sum), lane: String(lane.sum), same },
    check(`least ${column}`, lake.min ?? '', lane.min ?? ''),
    check(`greatest ${column}`, lake.max ?? '', lane.max ?? '')
  ]
}

async function differencesOf (lake: Side, lane: Side, places: readonly string[], columns: readonly string[]): Promise<Difference[]> {
  const found: Difference[] = []
  for (const place of places) {
    const partition = Number(place.split(':')[0])
    const [expected, actual] = [await lake.hashes(place), await lane.hashes(place)]
    const offsets = [...new Set([...expected.keys(), ...actual.keys()])].filter(offset => expected.get(offset) !== actual.get(offset)).sort((a, b) => a - b)
    for (const offset of offsets) {
      if (found.length === SHOWN_MAX) return found
      const kind = !actual.has(offset) ? 'missing' : !expected.has(offset) ? 'extra' : 'changed'
      found.push({ partition, offset, kind, ...(kind === 'changed' && await changeOf(lake, lane, { partition, offset, columns })) })
    }
  }
  return found
}

async function changeOf (lake: Side, lane: Side, { partition, offset, columns }: { readonly partition: number, readonly offset: number, readonly columns: readonly string[] }): Promise<Partial<Difference>> {
  const [[expected, ...more], [actual, ...others]] = [await lake.rowsAt(partition, offset), await lane.rowsAt(partition, offset)]
  if (more.length !== others.length) return { column: 'number of rows', lake: String(more.length + 1), lane: String(others.length + 1) }
  const column = columns.find(name => expected?.[name] !== actual?.[name])
  return column === undefined ? {} : { column, lake: shown(expected?.[column]), lane: shown(actual?.[column]) }
}

function shown (value: string | null | undefined): string | null {
  return value?.slice(0, VALUE_CHARACTERS_MAX) ?? null
}

function isSame (a: Digest, b: Digest): boolean {
  return a.rows === b.rows && a.xor === b.xor && a.sum === b.sum
}

function rowsOf (buckets: ReadonlyMap<string, Digest>): number {
  return [...buckets.values()].reduce((sum, { rows }) => sum + rows, 0)
}

function hashOf (buckets: ReadonlyMap<string, Digest>): string {
  let sum = 0n
  for (const digest of buckets.values()) sum = BigInt.asUintN(64, sum + digest.sum)
  return sum.toString(16).padStart(16, '0')
}

function byPlace (a: string, b: string): number {
  const [[p, i], [q, j]] = [a.split(':').map(Number) as [number, number], b.split(':').map(Number) as [number, number]]
  return p - q || i - j
}
