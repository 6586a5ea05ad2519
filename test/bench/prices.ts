// config/cost.yaml, and what a number of rows a day costs by it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { COST_FILE, parsePrices } from '../../runtime/cost/prices.ts'
import { root } from '../system/project.ts'
import type { Machine, Prices } from '../../runtime/cost/prices.ts'

/** What was measured for one row, and for the processes. */
export interface Measured {
  /** Connector, database and lake together. */
  readonly cpuSecondsAMillion: number
  readonly topicBytes: number
  readonly tableBytes: number
  readonly lakeBytes: number
  readonly memoryMiB: number
}

export interface Size {
  readonly rowsADay: number
  readonly coresAtPeak: number
  readonly diskGigabytes: number
  readonly lakeGigabytes: number
  /** Undefined: none of them is large enough. */
  readonly machine: Machine | undefined
  /** By part, and together. */
  readonly costs: { readonly machine: number, readonly disk: number, readonly lake: number, readonly all: number }
}

/** How it is reckoned; printed beside the result. */
export const assumptions = {
  daysInTopic: 3,
  daysInTable: 3,
  daysInLake: 365,
  /** Room for merges and for a day that is larger. */
  diskSpare: 1.5,
  systemGigabytes: 20,
  sessionHours: 6.5,
  /** The busiest second against the mean one of the session. */
  peak: 5,
  /** Of the machine's cores at the peak: the rest is for queries. */
  coresShare: 0.5,
  memoryShare: 0.5,
  lakeFlushSeconds: 30
}

export function readPrices (): Prices {
  return parsePrices(readFileSync(join(root, COST_FILE), 'utf8'))
}

export function size (rowsADay: number, measured: Measured, prices: Prices): Size {
  const a = assumptions
  const perSecond = rowsADay / (a.sessionHours * 3600) * a.peak
  const coresAtPeak = perSecond * measured.cpuSecondsAMillion / 1e6
  const diskGigabytes = Math.ceil(a.systemGigabytes + rowsADay * (a.daysInTopic * measured.topicBytes + a.daysInTable * measured.tableBytes) * a.diskSpare / 1e9)
  const lakeGigabytes = rowsADay * a.daysInLake * measured.lakeBytes / 1e9
  const machine = prices.machine.choices.find(choice => choice.cores * a.coresShare >= coresAtPeak && choice.memory_gigabytes * 1024 * a.memoryShare >= measured.memoryMiB)
  const writes = 30 * 86_400 / a.lakeFlushSeconds
  const costs = {
    machine: machine === undefined ? NaN : machine.price_an_hour * prices.machine.hours_a_month,
    disk: diskGigabytes * prices.disk.price_a_gigabyte_month,
    lake: lakeGigabytes * prices.object_storage.price_a_gigabyte_month + writes / 1000 * prices.object_storage.price_a_thousand_writes
  }
  return { rowsADay, coresAtPeak, diskGigabytes, lakeGigabytes, machine, costs: { ...costs, all: costs.machine + costs.disk + costs.lake } }
}
