import { Section } from '../../parts/page.ts'
import { Empty } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { classes, html } from '../../kit/html.ts'
import { bytes, money, seconds } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import type { VNode } from '../../kit/html.ts'
import type { CostReport, DatasetCost, PartCost, WhatIfRow } from './shapes.ts'

interface Props { readonly costs: CostReport }

const cents = 0.005
/** Amounts below half a cent are not nothing. */
const amountText = (value: number, currency: string): string => Math.abs(value) > 0 && Math.abs(value) < cents ? `< ${money(0.01, currency)}` : money(value, currency)
const kinds: Readonly<Record<PartCost['kind'], string>> = { machine: 'machine', disk: 'disk', store: 'object store', traffic: 'traffic' }

export function PartCosts ({ costs: { parts, currency, forecast } }: Props): VNode {
  return html`<${Section} title="By part" note="open a row to see how it was worked out"><${Table} label="Costs by part" name="parts" sort="-forecast" rows=${parts} keyOf=${({ part }: PartCost) => part}
    detail=${({ usage, how }: PartCost) => html`<p>${how}. Used: ${usage}.</p>`} columns=${[
      { id: 'part', title: 'Part', grow: true, value: ({ part }: PartCost) => part, cell: ({ part, unallocated }: PartCost) => html`${partLink(part)}${unallocated && html` <span class="tag">used by nobody</span>`}` },
      { id: 'kind', title: 'Of', wide: true, value: ({ kind }: PartCost) => kinds[kind] },
      { id: 'usage', title: 'Used', wide: true, right: true, cell: ({ usage }: PartCost) => usage },
      { id: 'amount', title: 'So far', right: true, value: ({ amount }: PartCost) => amount, cell: ({ amount }: PartCost) => amountText(amount, currency) },
      { id: 'forecast', title: 'Month', right: true, value: ({ forecast }: PartCost) => forecast, cell: (part: PartCost) => html`<${Share} share=${forecast === 0 ? 0 : part.forecast / forecast} text=${amountText(part.forecast, currency)} />` }
    ]} /></${Section}>`
}

export function DatasetCosts ({ costs: { datasets, currency, forecast } }: Props): VNode {
  return html`<${Section} title="By dataset" note="their share of the parts: processor time, disk and what was sent">
    ${datasets.length === 0
      ? html`<${Empty} title="No dataset has cost anything yet">What the platform uses is measured every ten minutes.</${Empty}>`
      : html`<${Table} label="Costs by dataset" name="datasets" sort="-forecast" rows=${datasets} keyOf=${({ dataset }: DatasetCost) => dataset} columns=${[
          { id: 'dataset', title: 'Dataset', grow: true, value: ({ dataset }: DatasetCost) => dataset },
          { id: 'cpu', title: 'Processor', wide: true, right: true, value: ({ cpu_seconds: cpu }: DatasetCost) => cpu, cell: ({ cpu_seconds: cpu }: DatasetCost) => seconds(cpu) },
          { id: 'disk', title: 'Disk', wide: true, right: true, value: ({ disk_bytes: disk }: DatasetCost) => disk, cell: ({ disk_bytes: disk }: DatasetCost) => bytes(disk) },
          { id: 'sent', title: 'Sent', wide: true, right: true, value: ({ sent_bytes: sent }: DatasetCost) => sent, cell: ({ sent_bytes: sent }: DatasetCost) => bytes(sent) },
          { id: 'amount', title: 'So far', right: true, value: ({ amount }: DatasetCost) => amount, cell: ({ amount }: DatasetCost) => amountText(amount, currency) },
          { id: 'forecast', title: 'Month', right: true, value: ({ forecast }: DatasetCost) => forecast, cell: (one: DatasetCost) => html`<${Share} share=${forecast === 0 ? 0 : one.forecast / forecast} text=${amountText(one.forecast, currency)} />` }
        ]} />`}
  </${Section}>`
}

export function WhatIf ({ costs: { what_if: rows, realtime_period: now, currency, forecast, budget } }: Props): VNode {
  const end = (row: WhatIfRow): number => forecast + row.amount
  return html`<${Section} title="Another realtime_period" note=${`it is ${now} now`}>
    <p class="padded">How long the streaming database keeps rows before the warehouse alone has them. What it would add a month is worked out from the bytes of a day; datasets with a period of their own are not in it.</p>
    <${Table} label="What another realtime_period would cost" rows=${rows} keyOf=${({ realtime_period: period }: WhatIfRow) => period} columns=${[
      { id: 'period', title: 'Period', cell: ({ realtime_period: period }: WhatIfRow) => html`<strong>${period}</strong>${period === now && html` <span class="tag">now</span>`}` },
      { id: 'bytes', title: 'More on disk', right: true, wide: true, cell: (row: WhatIfRow) => row.realtime_period === now ? '–' : bytesText(row.bytes) },
      { id: 'amount', title: 'A month', right: true, cell: (row: WhatIfRow) => row.realtime_period === now ? '–' : `${row.amount < 0 ? '−' : '+'}${amountText(Math.abs(row.amount), currency)}` },
      { id: 'end', title: 'Then expected', right: true, cell: (row: WhatIfRow) => html`<span class=${classes(end(row) > budget && 'over-text')}>${money(end(row), currency)}${end(row) > budget && ', above the budget'}</span>` },
      { id: 'datasets', title: 'Mostly', grow: true, wide: true, cell: ({ datasets }: WhatIfRow) => html`<span class="faint">${mostly(datasets)}</span>` }
    ]} />
    <p class="padded faint small">To change it, edit <code>realtime_period</code> in <a href=${href(['setup', 'files'], { file: 'config/platform.yaml' })}>config/platform.yaml</a>, or in the schema of one dataset.</p>
  </${Section}>`
}

export function Sent ({ costs: { tokens } }: Props): VNode {
  return html`<${Section} title="Who was sent how much" note="this month">${tokens.length === 0
    ? html`<${Empty} title="Nobody was sent anything yet" />`
    : html`<${Table} label="Bytes by user and token" rows=${tokens} keyOf=${({ name }: { name: string }) => name} columns=${[
        { id: 'name', title: 'User or token', grow: true, value: ({ name }: { name: string }) => name },
        { id: 'sent', title: 'Sent', right: true, value: ({ sent_bytes: sent }: { sent_bytes: number }) => sent, cell: ({ sent_bytes: sent }: { sent_bytes: number }) => bytes(sent) }
      ]} />`}</${Section}>`
}

/** An amount over a bar of its share of the whole. */
function Share ({ share, text }: { readonly share: number, readonly text: string }): VNode {
  return html`<span class="share"><i style=${{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }}></i><span>${text}</span></span>`
}

function bytesText (value: number): string {
  return value < 0 ? `−${bytes(-value)}` : `+${bytes(value)}`
}

/** The datasets that make most of it. */
function mostly (datasets: WhatIfRow['datasets']): string {
  return [...datasets].filter(({ bytes }) => bytes !== 0).sort((a, b) => Math.abs(b.bytes) - Math.abs(a.bytes)).slice(0, 3).map(({ dataset }) => dataset).join(', ')
}

function partLink (part: string): VNode | string {
  const [, pipeline] = /^pipeline ([a-z0-9_-]+)$/.exec(part) ?? []
  return pipeline === undefined ? part : html`<a href=${href(['pipelines', pipeline])}>${part}</a>`
}
