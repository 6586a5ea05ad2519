// `twolane costs`: what the platform costs this month.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { size, table } from './table.ts'
import type { CostReport } from '../cost/report.ts'
import type { WhatIf } from '../cost/what-if.ts'
import type { Terminal } from './terminal.ts'

interface Shown extends CostReport {
  readonly currency: string
  readonly budget: number
  readonly since: string
  readonly provider: string
  readonly prices_of: string
  readonly realtime_period: string
  readonly what_if: readonly WhatIf[]
}

/** Resolves to 1 where the month is expected to cost more than the budget. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { ...adminOptions, json: { type: 'boolean', default: false } } })
  const admin = await connect(terminal, values.token)
  const costs = await admin.json<Shown>('GET', '/v1/costs')
  for (const line of values.json ? [JSON.stringify(costs)] : lines(costs)) terminal.print(line)
  return costs.forecast > costs.budget ? 1 : 0
}

function lines ({ month, currency, budget, so_far: soFar, forecast, since, parts, datasets, provider, prices_of: pricesOf, realtime_period: period, what_if: cases }: Shown): string[] {
  const days = cases.filter(({ amount }) => amount !== 0)
  return [
    `${month}: ${money(soFar)} ${currency} so far (since ${since.slice(0, 16)}Z), ${money(forecast)} expected at its end, of ${money(budget)}${forecast > budget ? ': over the budget' : ''}`,
    `Prices: ${provider}, ${pricesOf}`,
    '',
    ...table(['PART', 'SO FAR', 'MONTH', 'USAGE'], parts.map(({ part, amount, forecast, usage }) => [part, money(amount), money(forecast), usage]), ['SO FAR', 'MONTH']),
    ...datasets.length === 0 ? [] : ['', ...table(['DATASET', 'SO FAR', 'MONTH', 'DISK', 'SENT'], datasets.map(one => [one.dataset, money(one.amount), money(one.forecast), size(one.disk_bytes), size(one.sent_bytes)]), ['SO FAR', 'MONTH', 'DISK', 'SENT'])],
    ...days.length === 0 ? [] : ['', `With another realtime_period than ${period}, a month:`, ...table(['PERIOD', 'MORE', 'DISK'], days.map(one => [one.realtime_period, money(one.amount), `${one.bytes < 0 ? '-' : ''}${size(Math.abs(one.bytes))}`]), ['PERIOD', 'MORE', 'DISK'])]
  ]
}

function money (amount: number): string {
  return amount.toFixed(2)
}
