// Adds what was used since the last look to the ledger: on the control side, every ten minutes, and when costs are asked for.

import { describe } from '../errors.ts'
import { inTime } from '../in-time.ts'
import { UsageLedger } from './ledger.ts'
import { measurePlaces } from './measure.ts'
import { readPrices, priceOf } from './prices.ts'
import type { MeasuredParts, Place } from './measure.ts'
import type { Prices } from './prices.ts'
import type { Used } from './ledger.ts'
import type { MetricObjectWithValues } from '../row-rate.ts'
import type { Platform } from '../platform.ts'

const SAMPLE_MS = 600_000
/** Costs that are asked for again within that time are those of before. */
const FRESH_MS = 10_000
/** A look at a database that does not answer holds up no stop. */
const CLOSE_MS_MAX = 2000
const HOUR_MS = 3_600_000
/** After a pause of the process longer than that, what was there meanwhile is not known. */
const GAP_MS_MAX = 3 * SAMPLE_MS
/** Names of what was sent between two looks; the rest counts as `others`. */
const SENT_NAMES_MAX = 2000

type Costing = MeasuredParts & Pick<Platform, 'root' | 'store' | 'fleet'>
type Sample = Array<Omit<Used, 'day'>>

/** What the costs of a platform are reckoned from. */
export class Costs {
  readonly ledger: UsageLedger
  readonly #platform: Costing
  readonly #sent = new Map<string, number>()
  /** The values of the counters at the last look. */
  #counted = new Map<string, number>()
  #places: readonly Place[] = []
  #sampledAt: number
  #sampling: Promise<void> | undefined
  #prices: Prices | undefined
  #timer: NodeJS.Timeout | undefined

  constructor (platform: Costing) {
    this.#platform = platform
    this.ledger = new UsageLedger(platform.store.database)
    this.#sampledAt = Date.now()
  }

  open (): void {
    this.ledger.began(Date.now())
    void this.#look()
    this.#timer = setInterval(() => { void this.#look() }, SAMPLE_MS)
  }

  async close (): Promise<void> {
    clearInterval(this.#timer)
    await inTime(this.#sampling ?? Promise.resolve(), CLOSE_MS_MAX, () => 'late')
  }

  /** What takes place now, as of the last look. */
  get places (): readonly Place[] {
    return this.#places
  }

  /** Counts bytes of answers. */
  sent (name: string, bytes: number): void {
    const key = this.#sent.has(name) || this.#sent.size < SENT_NAMES_MAX ? name : 'others'
    this.#sent.set(key, (this.#sent.get(key) ?? 0) + bytes)
  }

  /** What one answer costs, in the currency of the prices; undefined: there are no prices. */
  price (used: { readonly cpuSeconds: number, readonly bytesSent: number }): number | undefined {
    return this.#prices === undefined ? undefined : priceOf(this.#prices, used)
  }

  /** Up to now, unless the last look was a moment ago. */
  async fresh (): Promise<void> {
    if (this.#places.length > 0 && Date.now() - this.#sampledAt < FRESH_MS) return
    await this.sample()
  }

  async sample (): Promise<void> {
    this.#sampling ??= this.#sample().finally(() => { this.#sampling = undefined })
    await this.#sampling
  }

  async #look (): Promise<void> {
    const { root, fleet, log } = this.#platform
    this.#prices = await readPrices(root).catch(() => undefined)
    if (!fleet.isControl) return
    try {
      await this.sample()
    } catch (error) {
      log.warn({ reason: describe(error) }, 'What was used could not be written down, trying again')
    }
  }

  async #sample (): Promise<void> {
    const places = await measurePlaces(this.#platform)
    const metrics = await this.#platform.observe.measured.kept()
    const now = Date.now()
    // As much as at the look before was there in between.
    const hours = Math.min(now - this.#sampledAt, GAP_MS_MAX) / HOUR_MS
    const counted = countersOf(metrics)
    const grown = new Map([...counted].map(([key, value]) => [key, increase(value, this.#counted.get(key))]))
    const used: Sample = [
      { kind: 'hours', name: 'platform', amount: hours },
      ...(this.#places.length === 0 ? places : this.#places).map(({ place, name, bytes, inStore }): Omit<Used, 'day'> => ({ kind: inStore ? 'store_byte_hours' : 'disk_byte_hours', name: `${place} ${name}`, amount: bytes * hours })),
      ...cpuOf(grown),
      ...[...grown].flatMap(([key, amount]): Sample => key.startsWith('reads ') ? [{ kind: 'store_reads', name: key.slice(6), amount }] : key.startsWith('writes ') ? [{ kind: 'store_writes', name: key.slice(7), amount }] : []),
      ...[...this.#sent].map(([name, amount]): Omit<Used, 'day'> => ({ kind: 'sent_bytes', name, amount }))
    ]
    this.ledger.add(used, now)
    this.#sent.clear()
    this.#counted = counted
    this.#places = places
    this.#sampledAt = now
  }
}

/** The process has all threads in it: what is left of its time is the control panel's. */
function cpuOf (grown: ReadonlyMap<string, number>): Sample {
  const pipelines = [...grown].filter(([key]) => key.startsWith('cpu '))
  const threads = pipelines.reduce((sum, [, amount]) => sum + amount, 0)
  return [
    ...pipelines.map(([key, amount]): Omit<Used, 'day'> => ({ kind: 'cpu_seconds', name: `pipeline ${key.slice(4)}`, amount })),
    { kind: 'cpu_seconds', name: 'clickhouse', amount: grown.get('engine') ?? 0 },
    { kind: 'cpu_seconds', name: 'control panel', amount: Math.max(0, (grown.get('process') ?? 0) - threads) }
  ]
}

/** What each of these metrics counts, by the beginning of a key; the rest of it is the pipeline. */
const counters: Readonly<Record<string, string>> = {
  twolane_cpu_seconds_total: 'cpu ', twolane_engine_cpu_seconds_total: 'engine', twolane_process_cpu_seconds_total: 'process', twolane_store_reads_total: 'reads ', twolane_store_writes_total: 'writes '
}

function countersOf (metrics: readonly MetricObjectWithValues[]): Map<string, number> {
  const found = new Map<string, number>()
  for (const { name, values } of metrics) {
    const counter = counters[name]
    if (counter === undefined) continue
    for (const { value, labels } of values) {
      const key = counter.endsWith(' ') ? `${counter}${labels['pipeline'] ?? ''}` : counter
      found.set(key, (found.get(key) ?? 0) + value)
    }
  }
  return found
}

/** Counters begin at 0 with the process, and those of the engine with each of its lives. */
function increase (value: number, before: number | undefined): number {
  return before === undefined || value < before ? value : value - before
}
