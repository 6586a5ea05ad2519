import { conditionsOf, filterOf, operatorsOf, takesNone } from './filter-rows.ts'
import { kindOf } from '../data/shapes.ts'
import { Icon } from '../../parts/icon.ts'
import { html, useEffect, useState } from '../../kit/html.ts'
import type { Condition } from './filter-rows.ts'
import type { DatasetColumn } from '../data/shapes.ts'
import type { VNode } from '../../kit/html.ts'

const CONDITIONS_MAX = 20
const operatorWords: Readonly<Record<string, string>> = { '=': 'is', '!=': 'is not', in: 'is one of', 'not in': 'is none of', 'is null': 'is missing', 'is not null': 'is there', like: 'is like (% is anything)' }

/** Conditions that all must hold. A filter of another form is shown, and changed, as JSON. */
export function Filters ({ columns, where, onChange }: { readonly columns: readonly DatasetColumn[], readonly where: string | undefined, readonly onChange: (where: string | undefined) => void }): VNode {
  const usable = columns.filter(column => kindOf(column) !== 'list')
  const [conditions, setConditions] = useState<readonly Condition[] | undefined>(() => conditionsOf(where))
  // Another address brings other conditions; those that are not finished are nowhere but here.
  useEffect(() => {
    const given = conditionsOf(where)
    if (given === undefined || conditions === undefined || filterOf(given, columns) !== filterOf(conditions, columns)) setConditions(given)
  }, [where])
  if (conditions === undefined) return html`<div class="field"><label for="where">Conditions, as JSON</label><textarea id="where" class="mono" rows="3" spellcheck=${false} value=${where ?? ''} onInput=${(event: Event) => onChange((event.target as HTMLTextAreaElement).value || undefined)} /><button type="button" class="small" onClick=${() => { setConditions([]); onChange(undefined) }}>Begin anew</button></div>`
  const change = (next: readonly Condition[]): void => {
    setConditions(next)
    onChange(filterOf(next, columns))
  }
  const add = (): void => change([...conditions, { column: usable.find(column => kindOf(column) === 'number')?.name ?? usable[0]?.name ?? '', operator: '>', value: '' }])
  return html`<div class="conditions" role="group" aria-label="Conditions">
    ${conditions.map((condition, i) => html`<${Row} key=${i} index=${i} condition=${condition} columns=${usable} onChange=${(next: Condition) => change(conditions.with(i, next))} onRemove=${() => change(conditions.toSpliced(i, 1))} />`)}
    <button type="button" class="small" disabled=${usable.length === 0 || conditions.length >= CONDITIONS_MAX} onClick=${add}><${Icon} name="plus" size=${12} />Condition</button>
  </div>`
}

interface RowProps { readonly index: number, readonly condition: Condition, readonly columns: readonly DatasetColumn[], readonly onChange: (condition: Condition) => void, readonly onRemove: () => void }

function Row ({ index, condition, columns, onChange, onRemove }: RowProps): VNode {
  const { column: name, operator, value } = condition
  const column = columns.find(one => one.name === name)
  const operators = operatorsOf(column)
  const nth = `of condition ${index + 1}`
  const choose = (event: Event): void => {
    const next = (event.target as HTMLSelectElement).value
    const allowed = operatorsOf(columns.find(one => one.name === next))
    onChange({ column: next, operator: allowed.includes(operator) ? operator : allowed[0] ?? '=', value: '' })
  }
  return html`<div class="condition-row">
    <span class="faint small">${index === 0 ? 'where' : 'and'}</span>
    <select aria-label=${`Field ${nth}`} value=${name} onChange=${choose}>${columns.map(one => html`<option value=${one.name}>${one.name}</option>`)}</select>
    <select aria-label=${`Operator ${nth}`} value=${operator} onChange=${(event: Event) => onChange({ ...condition, operator: (event.target as HTMLSelectElement).value })}>${operators.map(one => html`<option value=${one}>${operatorWords[one] ?? one}</option>`)}</select>
    ${takesNone(operator) ? html`<span></span>` : html`<${Value} column=${column} condition=${condition} label=${`Value ${nth}`} onChange=${(next: string) => onChange({ ...condition, value: next })} value=${value} />`}
    <button type="button" class="icon-only" aria-label=${`Take condition ${index + 1} away`} onClick=${onRemove}><${Icon} name="close" size=${14} /></button>
  </div>`
}

function Value ({ column, condition: { operator, value }, label, onChange }: { readonly column: DatasetColumn | undefined, readonly condition: Condition, readonly label: string, readonly onChange: (value: string) => void }): VNode {
  const kind = column === undefined ? 'text' : kindOf(column)
  const take = (event: Event): void => onChange((event.target as HTMLInputElement).value)
  const many = operator === 'in' || operator === 'not in'
  if (kind === 'yes') return html`<select aria-label=${label} value=${value} onChange=${take}><option value="">choose</option><option value="true">true</option><option value="false">false</option></select>`
  if (kind === 'day') return html`<input type="date" aria-label=${label} value=${value} onInput=${take} />`
  if (kind === 'time') return html`<input type="datetime-local" step="0.001" aria-label=${`${label}, UTC`} value=${value} onInput=${take} />`
  return html`<input type="text" inputmode=${kind === 'number' && !many ? 'decimal' : undefined} aria-label=${label} autocomplete="off" spellcheck=${false} placeholder=${many ? 'a, b, c' : kind === 'number' ? column?.unit ?? '' : ''} value=${value} onInput=${take} />`
}
