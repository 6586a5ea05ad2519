// Grants: which datasets, which of their columns, which of their rows.

import { filterWords, grantWords } from './filter-words.ts'
import { RowFilter } from './row-filter.ts'
import { Checks } from './checks.ts'
import { Labelled } from '../../parts/form.ts'
import { Icon } from '../../parts/icon.ts'
import { Skeleton } from '../../parts/problem.ts'
import { Typed } from '../../parts/typed.ts'
import { html, useId } from '../../kit/html.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Dataset, Filter, Grant } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

const patternForm = /^[A-Za-z0-9_*][A-Za-z0-9_*-]{0,99}$/

/** Whether all of them can be sent. */
export function grantsReady (grants: readonly Grant[]): boolean {
  return grants.every(({ dataset, columns }) => patternForm.test(dataset) && columns?.length !== 0)
}

export function GrantsEditor ({ grants, onChange }: { readonly grants: readonly Grant[], readonly onChange: (grants: readonly Grant[]) => void }): VNode {
  const { data, loading } = useResource<{ datasets: readonly Dataset[] }>(may('data:read') ? '/v1/datasets' : undefined)
  const datasets = data?.datasets ?? []
  // Inputs of columns and rows depend on it: they are not to change while they are used.
  if (data === undefined && loading) return html`<${Skeleton} lines=${2} />`
  return html`<div class="grants">
    ${grants.length === 0 && html`<p class="faint">No grant of their own.</p>`}
    ${grants.map((grant, i) => html`<${GrantForm} key=${i} number=${i + 1} grant=${grant} datasets=${datasets} onChange=${(next: Grant) => onChange(grants.with(i, next))} onRemove=${() => onChange(grants.toSpliced(i, 1))} />`)}
    <div><button type="button" class="small" onClick=${() => onChange([...grants, { dataset: '', columns: null, where: null }])}><${Icon} name="plus" size=${12} />Add a grant</button></div>
  </div>`
}

interface FormProps { readonly number: number, readonly grant: Grant, readonly datasets: readonly Dataset[], readonly onChange: (grant: Grant) => void, readonly onRemove: () => void }

function GrantForm ({ number, grant, datasets, onChange, onRemove }: FormProps): VNode {
  const list = useId()
  const { dataset, columns, where } = grant
  const known = datasets.find(one => one.dataset === dataset)
  const names = known?.columns.map(({ name }) => name) ?? []
  // Of a pattern, columns that one of its datasets has.
  const all = known === undefined && dataset.includes('*') ? datasets.filter(one => matches(dataset, one.dataset)) : []
  return html`<fieldset class="grant"><legend>Grant ${number}</legend>
    <div class="filters top">
      <${Labelled} label="Dataset" required hint=${dataset.includes('*') ? all.length === 0 ? 'No dataset of now fits.' : `Now: ${all.map(one => one.dataset).join(', ')}` : 'A name, or a pattern such as crypto_*'} error=${dataset === '' || patternForm.test(dataset) ? undefined : 'Letters, digits, _, - and * only.'}>${(control: Control) => html`<input ...${control} list=${list} autocomplete="off" spellcheck=${false} value=${dataset} onInput=${(event: Event) => onChange({ ...grant, dataset: (event.target as HTMLInputElement).value })} />`}</${Labelled}>
      <datalist id=${list}><option value="*">All datasets</option>${datasets.map(one => html`<option value=${one.dataset}>${one.title}</option>`)}</datalist>
      <button type="button" class="danger" onClick=${onRemove} aria-label=${`Remove grant ${number}`}><${Icon} name="trash" size=${12} />Remove</button>
    </div>
    <label class="tick"><input type="checkbox" checked=${columns === null} onChange=${() => onChange({ ...grant, columns: columns === null ? names : null })} /><span>All columns, also those that come later</span></label>
    ${columns !== null && (names.length > 0
      ? html`<${Checks} label="Columns" names=${names} chosen=${columns} onChange=${(next: readonly string[]) => onChange({ ...grant, columns: next })} />`
      : html`<${Labelled} label="Columns" hint="Names with commas between them" error=${columns.length === 0 ? 'One at least.' : undefined}>${(control: Control) => html`<${Typed} ...${control} value=${columns.join(', ')} onChange=${(text: string) => onChange({ ...grant, columns: text.split(',').map(one => one.trim()).filter(one => one !== '') })} />`}</${Labelled}>`)}
    <${RowFilter} key=${known?.dataset} columns=${known?.columns ?? []} value=${where} onChange=${(next: Filter | null) => onChange({ ...grant, where: next })} />
    ${where !== null && html`<p class="faint small">Rows where ${filterWords(where)}.</p>`}
  </fieldset>`
}

/** Grants to read. */
export function GrantList ({ grants }: { readonly grants: readonly Grant[] }): VNode {
  if (grants.length === 0) return html`<span class="faint">none</span>`
  return html`<ul class="plain">${grants.map(grant => html`<li>${grantWords(grant)}</li>`)}</ul>`
}

function matches (pattern: string, name: string): boolean {
  const parts = pattern.split('*').map(part => part.replace(/[-]/g, '\\-'))
  return new RegExp(`^${parts.join('.*')}$`).test(name)
}
