// What a longer `realtime_period` would add a month: so many more days of every dataset in the streaming database, where
// they take more room than in the warehouse.

import type { DayBytes } from './measure.ts'
import type { Prices } from './prices.ts'

/** Days that are reckoned, besides the present ones. */
const DAYS = [1, 3, 7, 14, 30, 60, 90, 180, 365]
const GB = 1e9

export interface WhatIf {
  /** Such as 30d. */
  readonly realtime_period: string
  /** A month, more than now; negative: less. */
  readonly amount: number
  readonly bytes: number
  readonly datasets: ReadonlyArray<{ readonly dataset: string, readonly amount: number, readonly bytes: number }>
}

export interface WhatIfInput {
  readonly prices: Prices
  /** Those whose schema has a period of its own are left out. */
  readonly days: readonly DayBytes[]
  readonly realtimeDays: number
  /** Whether the warehouse takes room of the same disk. */
  readonly sameDisk: boolean
}

export function whatIf ({ prices, days, realtimeDays, sameDisk }: WhatIfInput): WhatIf[] {
  const price = prices.disk.price_a_gigabyte_month / GB
  return [...new Set([...DAYS, realtimeDays])].sort((a, b) => a - b).map(period => {
    const datasets = days.map(({ dataset, streaming, warehouse }) => {
      const bytes = Math.round((period - realtimeDays) * (streaming - (sameDisk ? warehouse : 0)))
      return { dataset, amount: bytes * price, bytes }
    })
    return { realtime_period: `${period}d`, amount: datasets.reduce((sum, { amount }) => sum + amount, 0), bytes: datasets.reduce((sum, { bytes }) => sum + bytes, 0), datasets }
  })
}
