import { Labelled } from './form.ts'
import { html } from '../kit/html.ts'
import { utc } from '../kit/clock.ts'
import type { Control } from './form.ts'
import type { VNode } from '../kit/html.ts'

/** A range as the API takes it: `last`, or moments in UTC without a zone, the end exclusive. */
export interface RangeText {
  readonly last?: string | undefined
  readonly start?: string | undefined
  readonly end?: string | undefined
}

const DAY_MS = 86_400_000
export const presets: ReadonlyArray<readonly [last: string, title: string]> = [
  ['15m', 'Last 15 minutes'], ['1h', 'Last hour'], ['6h', 'Last 6 hours'], ['1d', 'Last day'], ['7d', 'Last 7 days'], ['30d', 'Last 30 days'], ['90d', 'Last 90 days'], ['365d', 'Last year']
]

/** So long before now, or between two moments. Without anything: all there is, where `all` is allowed. */
export function RangePicker ({ range: { last, start, end }, onChange, all = false }: { readonly range: RangeText, readonly onChange: (range: Required<RangeText>) => void, readonly all?: boolean }): VNode {
  const between = start !== undefined || end !== undefined
  const choice = between ? 'between' : last ?? ''
  const known = presets.some(([id]) => id === last)
  const choose = (next: string): void => onChange(next === 'between'
    ? { last: undefined, start: utc(Math.floor(Date.now() / DAY_MS) * DAY_MS).slice(0, 16).replace(' ', 'T'), end: utc(Math.ceil(Date.now() / DAY_MS) * DAY_MS).slice(0, 16).replace(' ', 'T') }
    : { last: next === '' ? undefined : next, start: undefined, end: undefined })
  return html`
    <${Labelled} label="Time">${(control: Control) => html`<select ...${control} value=${choice} onChange=${(event: Event) => choose((event.target as HTMLSelectElement).value)}>
      ${all && html`<option value="">All there is</option>`}
      ${presets.map(([id, title]) => html`<option value=${id}>${title}</option>`)}
      ${last !== undefined && !known && html`<option value=${last}>Last ${last}</option>`}
      <option value="between">Between…</option>
    </select>`}</${Labelled}>
    ${between && html`<${Moment} label="From (UTC)" value=${start} onChange=${(value: string | undefined) => onChange({ last: undefined, start: value, end })} />
    <${Moment} label="To, exclusive (UTC)" value=${end} onChange=${(value: string | undefined) => onChange({ last: undefined, start, end: value })} />`}`
}

function Moment ({ label, value, onChange }: { readonly label: string, readonly value: string | undefined, readonly onChange: (value: string | undefined) => void }): VNode {
  // The input knows no zone: what it holds is taken for UTC. A day alone begins at midnight.
  const shown = value === undefined ? '' : /^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00` : value.replace(/Z$/, '').slice(0, 19)
  return html`<${Labelled} label=${label}>${(control: Control) => html`<input ...${control} type="datetime-local" step="1" value=${shown} onChange=${(event: Event) => onChange((event.target as HTMLInputElement).value || undefined)} />`}</${Labelled}>`
}
