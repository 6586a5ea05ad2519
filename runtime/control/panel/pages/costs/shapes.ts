// What GET /v1/costs answers. Amounts are in `currency`.

export interface PartCost {
  readonly part: string
  readonly kind: 'machine' | 'disk' | 'store' | 'traffic'
  readonly amount: number
  readonly forecast: number
  readonly usage: string
  readonly how: string
  readonly unallocated: boolean
}

export interface DatasetCost {
  readonly dataset: string
  readonly amount: number
  readonly forecast: number
  readonly cpu_seconds: number
  readonly disk_bytes: number
  readonly sent_bytes: number
}

/** What another realtime_period would add a month. */
export interface WhatIfRow {
  readonly realtime_period: string
  readonly amount: number
  readonly bytes: number
  readonly datasets: ReadonlyArray<{ readonly dataset: string, readonly amount: number, readonly bytes: number }>
}

export interface CostReport {
  readonly currency: string
  readonly budget: number
  readonly month: string
  readonly since: string
  readonly so_far: number
  readonly forecast: number
  readonly over_budget: boolean
  readonly parts: readonly PartCost[]
  readonly datasets: readonly DatasetCost[]
  readonly tokens: ReadonlyArray<{ readonly name: string, readonly sent_bytes: number }>
  readonly provider: string
  readonly prices_of: string
  readonly realtime_period: string
  readonly what_if: readonly WhatIfRow[]
}
