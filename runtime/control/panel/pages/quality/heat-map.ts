// Datasets by days. A cell says by a sign, a colour and words how the rules were; arrow keys walk the grid.

import { Section } from '../../parts/page.ts'
import { html, useRef, useState } from '../../kit/html.ts'
import { plural } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import type { QualityDay, QualityReport } from './shapes.ts'
import type { VNode } from '../../kit/html.ts'

const DAY_MS = 86_400_000
const signs = { ok: '✓', warn: '!', error: '✕' } as const

export function HeatMap ({ report: { rules, days: found }, days }: { readonly report: QualityReport, readonly days: number }): VNode {
  const topics = [...new Set(rules.map(({ topic }) => topic))]
  const dates = lastDays(days)
  const byCell = new Map(found.map(day => [`${day.topic} ${day.day}`, day]))
  const [place, setPlace] = useState<readonly [row: number, column: number]>([0, days - 1])
  const grid = useRef<HTMLTableElement>(null)
  const walk = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -days], End: [0, days] }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const next = [Math.max(0, Math.min(topics.length - 1, place[0] + (step[0] ?? 0))), Math.max(0, Math.min(days - 1, place[1] + (step[1] ?? 0)))] as const
    setPlace(next)
    grid.current?.querySelector<HTMLElement>(`[data-cell="${next.join(' ')}"]`)?.focus()
  }
  return html`<${Section} title="Checks by dataset and day" note=${`the last ${days} days, UTC; arrow keys walk`}>
    <div class="heat-scroll"><table class="heat" ref=${grid} onKeyDown=${walk}>
      <thead><tr><th scope="col">Dataset</th>${dates.map(date => html`<th scope="col"><span class="hidden">${date}</span><span aria-hidden="true">${date.endsWith('-01') || date === dates[0] ? month(date) : ''}<br />${Number(date.slice(8))}</span></th>`)}</tr></thead>
      <tbody>${topics.map((topic, row) => html`<tr><th scope="row"><a href=${href(['quality'], { tab: 'results', topic })}>${topic}</a></th>${dates.map((date, column) => {
        const day = byCell.get(`${topic} ${date}`)
        return html`<td><a class=${`cell ${day?.level ?? 'none'}`} data-cell=${`${row} ${column}`} tabindex=${row === place[0] && column === place[1] ? 0 : -1} onFocus=${() => setPlace([row, column])} href=${href(['quality'], { tab: 'results', topic, day: date })} aria-label=${`${topic}, ${date}: ${told(day)}`} title=${`${topic}, ${date}: ${told(day)}`}>${day === undefined ? '' : signs[day.level]}</a></td>`
      })}</tr>`)}</tbody>
    </table></div>
    <p class="legend heat-legend"><span><i class="cell ok">${signs.ok}</i>all rules held</span><span><i class="cell warn">${signs.warn}</i>a rule warned</span><span><i class="cell error">${signs.error}</i>a rule failed</span><span><i class="cell none"></i>not checked</span></p>
  </${Section}>`
}

function told (day: QualityDay | undefined): string {
  if (day === undefined) return 'not checked'
  const checks = plural(day.checks, 'check')
  if (day.level === 'ok') return `all rules held, ${checks}`
  return `${[day.errors > 0 && plural(day.errors, 'error'), day.warnings > 0 && plural(day.warnings, 'warning')].filter(Boolean).join(' and ')} in ${checks}: ${day.rules.join(', ')}`
}

function lastDays (days: number): string[] {
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
  return Array.from({ length: days }, (_, i) => new Date(today - (days - 1 - i) * DAY_MS).toISOString().slice(0, 10))
}

function month (date: string): string {
  return new Date(`${date}T00:00:00Z`).toLocaleString('en-US', { month: 'short', timeZone: 'UTC' })
}
