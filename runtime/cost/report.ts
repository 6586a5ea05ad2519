// What this month has cost, what it will have cost at its end, and what of it is whose. All from what was measured
// (ledger.ts) and from the prices (prices.ts):
//
//   machine     paid by the hour whether it works or not: by share of its processor time, the idle rest is nobody's
//   disk        gigabyte hours; where the size of the disk that is paid for is known, what is free is nobody's
//   store       gigabyte hours and requests
//   traffic     what is above the free gigabytes, by share of what was sent
//
// A forecast takes the rest of the month to be as the last seven days were, and what is held to grow on.

import { dayOf } from './ledger.ts'
import { machineOf } from './prices.ts'
import type { Used, UsageKind } from './ledger.ts'
import type { Prices } from './prices.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const GB = 1e9
/** Days that a forecast goes by. */
export const FORECAST_DAYS = 7

export interface PartCost {
  readonly part: string
  readonly kind: 'machine' | 'disk' | 'store' | 'traffic'
  /** So far this month. */
  readonly amount: number
  /** At the end of the month. */
  readonly forecast: number
  /** In words. */
  readonly usage: string
  readonly how: string
  /** Paid for, and used by nothing. */
  readonly unallocated: boolean
}
export interface DatasetCost {
  readonly dataset: string
  readonly amount: number
  readonly forecast: number
  readonly cpu_seconds: number
  /** On average over the month so far. */
  readonly disk_bytes: number
  readonly sent_bytes: number
}
export interface CostReport {
  readonly month: string
  readonly so_far: number
  readonly forecast: number
  readonly parts: PartCost[]
  readonly datasets: DatasetCost[]
}

export interface ReportInput {
  readonly prices: Prices
  /** Of the month, and of the days before it that a forecast goes by. */
  readonly used: readonly Used[]
  /** ms since 1970. */
  readonly now: number
  /** When it was first measured. */
  readonly began: number
  /** By pipeline: the dataset that it makes. */
  readonly datasetOf: ReadonlyMap<string, string>
}

/** Amount of the month so far, and what the rest of it is expected to add. */
interface Flow { readonly soFar: number, readonly toCome: number }

export function costReport ({ prices, used, now, began, datasetOf }: ReportInput): CostReport {
  const month = monthOf(now)
  const known = { from: Math.max(month.from, began), to: month.to }
  const hoursOfMonth = (month.to - month.from) / HOUR_MS
  const hours: Flow = { soFar: (now - known.from) / HOUR_MS, toCome: (month.to - now) / HOUR_MS }
  const flows = new Flows(used, { month, now })
  const priced = [
    ...machineParts(flows, prices, hours),
    ...heldParts(flows, 'disk_byte_hours', { kind: 'disk', priceAGigabyteHour: prices.disk.price_a_gigabyte_month / hoursOfMonth }),
    ...freeDisk(flows, prices, { hours, hoursOfMonth }),
    ...heldParts(flows, 'store_byte_hours', { kind: 'store', priceAGigabyteHour: prices.object_storage.price_a_gigabyte_month / hoursOfMonth }),
    ...requestParts(flows, 'store_writes', prices.object_storage.price_a_thousand_writes),
    ...requestParts(flows, 'store_reads', prices.object_storage.price_a_thousand_reads),
    ...trafficParts(flows, prices)
  ]
  return {
    month: dayOf(now).slice(0, 7),
    so_far: sum(priced.map(({ amount }) => amount)),
    forecast: sum(priced.map(({ forecast }) => forecast)),
    parts: priced.map(({ names: _, ...part }) => part).sort((a, b) => b.amount - a.amount),
    datasets: datasetCosts(priced, flows, { datasetOf, hours: hours.soFar })
  }
}

/** With what each name of the ledger has of it, for the datasets. */
interface Priced extends PartCost { readonly names: ReadonlyMap<string, { readonly amount: number, readonly forecast: number }> }

const held: ReadonlySet<UsageKind> = new Set(['disk_byte_hours', 'store_byte_hours'])

/** What the month has of each name, and what the rest of it will add. */
class Flows {
  readonly #used: readonly Used[]
  readonly #now: number
  readonly #monthDay: string
  readonly #hoursToCome: number
  /** By day, of those that a forecast goes by. */
  readonly #hours: ReadonlyMap<string, number>

  constructor (used: readonly Used[], { month, now }: { readonly month: { readonly from: number, readonly to: number }, readonly now: number }) {
    this.#used = used
    this.#now = now
    this.#monthDay = dayOf(month.from)
    this.#hoursToCome = (month.to - now) / HOUR_MS
    this.#hours = this.#byDay('hours', 'platform')
  }

  of (kind: UsageKind, name: string): Flow {
    const soFar = sum(this.#used.filter(one => one.kind === kind && one.name === name && one.day >= this.#monthDay).map(({ amount }) => amount))
    const recent = this.#byDay(kind, name)
    return { soFar, toCome: held.has(kind) ? this.#growing(recent) : this.#steady(recent) }
  }

  all (kind: UsageKind): Array<readonly [name: string, flow: Flow]> {
    const names = [...new Set(this.#used.filter(one => one.kind === kind).map(({ name }) => name))].sort()
    return names.map(name => [name, this.of(kind, name)])
  }

  /** As much an hour as in the hours that were measured. */
  #steady (recent: ReadonlyMap<string, number>): number {
    const hours = sum([...this.#hours.values()])
    return hours === 0 ? 0 : sum([...recent.values()]) / hours * this.#hoursToCome
  }

  /** What is held now stays, and grows on as it has from the first of these days to the last. */
  #growing (recent: ReadonlyMap<string, number>): number {
    const levels = [...this.#hours].filter(([, hours]) => hours > 0).sort().map(([day, hours]) => ({ day, level: (recent.get(day) ?? 0) / hours }))
    const [first, last] = [levels[0], levels.at(-1)]
    if (first === undefined || last === undefined) return 0
    const days = (Date.parse(last.day) - Date.parse(first.day)) / DAY_MS
    const growthADay = days === 0 ? 0 : Math.max(0, (last.level - first.level) / days)
    return last.level * this.#hoursToCome + growthADay * this.#hoursToCome ** 2 / 48
  }

  #byDay (kind: UsageKind, name: string): Map<string, number> {
    const from = dayOf(this.#now - FORECAST_DAYS * DAY_MS)
    return new Map(this.#used.filter(one => one.kind === kind && one.name === name && one.day > from).map(({ day, amount }) => [day, amount]))
  }
}

function machineParts (flows: Flows, prices: Prices, hours: Flow): Priced[] {
  const { name, cores, price_an_hour: hour } = machineOf(prices)
  const capacity: Flow = { soFar: hours.soFar * 3600 * cores, toCome: hours.toCome * 3600 * cores }
  const cpu = flows.all('cpu_seconds')
  const second = hour / 3600 / cores
  const parts = cpu.map(([part, { soFar, toCome }]): Priced => priced({
    part, kind: 'machine', amount: soFar * second, toCome: toCome * second, usage: `${Math.round(soFar)} CPU seconds`, how: `Its share of the processor time of ${name}`, name: part
  }))
  const [used, expected] = [sum(cpu.map(([, { soFar }]) => soFar)), sum(cpu.map(([, { toCome }]) => toCome))]
  const idle = { soFar: Math.max(0, capacity.soFar - used), toCome: Math.max(0, capacity.toCome - expected) }
  return [...parts, priced({
    part: 'machine, idle', kind: 'machine', amount: idle.soFar * second, toCome: idle.toCome * second, usage: `${Math.round(idle.soFar)} CPU seconds`, how: `Hours of ${name} that are paid for, and used by no part`, unallocated: true
  })]
}

const titles: Readonly<Record<string, string>> = { topic: 'topics', streaming: 'streaming database', warehouse: 'warehouse', lake: 'lake', observe: 'logs and metrics', files: 'files' }

function heldParts (flows: Flows, usage: UsageKind, { kind, priceAGigabyteHour }: { readonly kind: 'disk' | 'store', readonly priceAGigabyteHour: number }): Priced[] {
  const places = new Map<string, Array<readonly [string, Flow]>>()
  for (const [name, flow] of flows.all(usage)) {
    const [place = '', what = ''] = splitName(name)
    // Backups and exports are parts of their own; the rest of the folder is small.
    const part = place === 'files' ? what : titles[place] ?? place
    places.set(part, [...places.get(part) ?? [], [name, flow]])
  }
  return [...places].map(([part, named]) => {
    const amounts = named.map(([name, { soFar, toCome }]) => [name, { amount: soFar / GB * priceAGigabyteHour, forecast: (soFar + toCome) / GB * priceAGigabyteHour }] as const)
    const byteHours = sum(named.map(([, { soFar }]) => soFar))
    return {
      part: `${part}, ${kind === 'disk' ? 'disk' : 'object store'}`,
      kind,
      amount: sum(amounts.map(([, { amount }]) => amount)),
      forecast: sum(amounts.map(([, { forecast }]) => forecast)),
      usage: `${(byteHours / GB).toFixed(3)} gigabyte hours`,
      how: 'What it took of it, measured every ten minutes',
      unallocated: false,
      names: new Map(amounts)
    }
  })
}

function freeDisk (flows: Flows, { disk }: Prices, { hours, hoursOfMonth }: { readonly hours: Flow, readonly hoursOfMonth: number }): Priced[] {
  if (disk.gigabytes === undefined) return []
  const taken = flows.all('disk_byte_hours')
  const free = (hours: number, byteHours: number): number => Math.max(0, (disk.gigabytes ?? 0) * hours - byteHours / GB)
  const [soFar, toCome] = [free(hours.soFar, sum(taken.map(([, flow]) => flow.soFar))), free(hours.toCome, sum(taken.map(([, flow]) => flow.toCome)))]
  const price = disk.price_a_gigabyte_month / hoursOfMonth
  return [priced({ part: 'disk, free', kind: 'disk', amount: soFar * price, toCome: toCome * price, usage: `${soFar.toFixed(1)} gigabyte hours`, how: `Of the ${disk.gigabytes} gigabytes that are paid for, what nothing takes`, unallocated: true })]
}

function requestParts (flows: Flows, kind: 'store_writes' | 'store_reads', priceAThousand: number): Priced[] {
  return flows.all(kind).map(([name, { soFar, toCome }]) => priced({
    part: `${name === '' ? 'control panel' : `pipeline ${name}`}, ${kind === 'store_writes' ? 'writes to' : 'reads from'} the object store`,
    kind: 'store',
    amount: soFar / 1000 * priceAThousand,
    toCome: toCome / 1000 * priceAThousand,
    usage: `${Math.round(soFar)} requests`,
    how: 'Requests that were sent, repeated ones included',
    name: `pipeline ${name}`
  }))
}

function trafficParts (flows: Flows, { traffic }: Prices): Priced[] {
  // Each answer counts once by dataset and once by who asked: the datasets are what adds up to all of it.
  const sent = flows.all('sent_bytes').filter(([name]) => !name.startsWith('token ') && !name.startsWith('user '))
  const [soFar, toCome] = [sum(sent.map(([, flow]) => flow.soFar)), sum(sent.map(([, flow]) => flow.toCome))]
  const paid = (bytes: number): number => Math.max(0, bytes / GB - traffic.free_gigabytes_a_month) * traffic.price_a_gigabyte
  const [amount, all] = [paid(soFar), paid(soFar + toCome)]
  return sent.map(([name, flow]): Priced => {
    const cost = { amount: soFar === 0 ? 0 : amount * flow.soFar / soFar, forecast: soFar + toCome === 0 ? 0 : all * (flow.soFar + flow.toCome) / (soFar + toCome) }
    return { part: `${name}, traffic`, kind: 'traffic', ...cost, usage: `${(flow.soFar / GB).toFixed(3)} gigabytes`, how: `Bytes of answers, as if all left for the internet; ${traffic.free_gigabytes_a_month} gigabytes a month are free`, unallocated: false, names: new Map([[name, cost]]) }
  })
}

interface Gathered {
  amount: number
  forecast: number
  cpu: number
  byteHours: number
  sent: number
}

function datasetCosts (parts: readonly Priced[], flows: Flows, { datasetOf, hours }: { readonly datasetOf: ReadonlyMap<string, string>, readonly hours: number }): DatasetCost[] {
  const found = new Map<string, Gathered>()
  const at = (dataset: string): Gathered => {
    const cost = found.get(dataset) ?? { amount: 0, forecast: 0, cpu: 0, byteHours: 0, sent: 0 }
    found.set(dataset, cost)
    return cost
  }
  for (const [name, { amount, forecast }] of parts.flatMap(({ names }) => [...names])) {
    const dataset = datasetNamed(name, datasetOf)
    if (dataset === undefined) continue
    const cost = at(dataset)
    cost.amount += amount
    cost.forecast += forecast
  }
  const add = (kind: UsageKind, key: 'cpu' | 'byteHours' | 'sent'): void => {
    for (const [name, { soFar }] of flows.all(kind)) {
      const dataset = datasetNamed(name, datasetOf)
      if (dataset !== undefined) at(dataset)[key] += soFar
    }
  }
  add('cpu_seconds', 'cpu')
  add('disk_byte_hours', 'byteHours')
  add('store_byte_hours', 'byteHours')
  add('sent_bytes', 'sent')
  return [...found].map(([dataset, { amount, forecast, cpu, byteHours, sent }]) => ({
    dataset, amount, forecast, cpu_seconds: cpu, disk_bytes: hours <= 0 ? 0 : Math.round(byteHours / hours), sent_bytes: Math.round(sent)
  })).sort((a, b) => b.amount - a.amount)
}

/** What of the ledger belongs to a dataset; undefined: it is of no single one. */
function datasetNamed (name: string, datasetOf: ReadonlyMap<string, string>): string | undefined {
  const [place = '', what = ''] = splitName(name)
  if (place === 'pipeline') return datasetOf.get(what)
  if (what.startsWith('_')) return undefined
  return ['topic', 'streaming', 'warehouse', 'lake', 'dataset'].includes(place) ? what.replace(/\.rejected$/, '') : undefined
}

function splitName (name: string): [string, string] {
  const at = name.indexOf(' ')
  return at < 0 ? [name, ''] : [name.slice(0, at), name.slice(at + 1)]
}

function priced ({ toCome, name, unallocated = false, ...part }: Omit<PartCost, 'forecast' | 'unallocated'> & { readonly toCome: number, readonly name?: string, readonly unallocated?: boolean }): Priced {
  const forecast = part.amount + toCome
  return { ...part, forecast, unallocated, names: name === undefined ? new Map() : new Map([[name, { amount: part.amount, forecast }]]) }
}

/** The month in UTC that a moment is in. */
export function monthOf (ms: number): { readonly from: number, readonly to: number } {
  const date = new Date(ms)
  return { from: Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1), to: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) }
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0)
}
