import { Labelled } from '../../parts/form.ts'
import { html } from '../../kit/html.ts'
import type { Quota } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

/** How much at most; empty: no bound besides those of the platform. */
export function QuotaForm ({ quota, onChange }: { readonly quota: Quota, readonly onChange: (quota: Quota) => void }): VNode {
  const field = (name: keyof Quota, label: string, hint: string): VNode => html`<${Labelled} label=${label} hint=${hint}>${(control: Control) => html`<input ...${control} type="number" min="1" step="1" placeholder="no bound" value=${quota[name] ?? ''} onInput=${(event: Event) => {
    const text = (event.target as HTMLInputElement).value
    onChange({ ...quota, [name]: text === '' ? null : Number(text) })
  }} />`}</${Labelled}>`
  return html`<div class="filters quota">${field('requests_per_second', 'Requests a second', 'of the API')}${field('rows_per_day', 'Rows a day', 'of the data API, by UTC day')}</div>`
}
