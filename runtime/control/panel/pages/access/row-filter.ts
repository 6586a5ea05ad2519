// Which rows of a dataset: conditions made by clicks, with inputs that fit the type of the column. A filter that has
// conditions within conditions is edited as JSON.

import { Labelled } from '../../parts/form.ts'
import { Icon } from '../../parts/icon.ts'
import { Typed } from '../../parts/typed.ts'
import { html, useState } from '../../kit/html.ts'
import type { Comparison, Dataset, Filter, Scalar } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

type Columns = Dataset['columns']
type Join = 'and' | 'or'

const forTexts = ['=', '!=', 'in', 'not in', 'like', 'is null', 'is not null']
const forNumbers = ['=', '!=', '<', '<=', '>', '>=', 'in', 'not in', 'is null', 'is not null']
const words: Readonly<Record<string, string>> = { '=': 'is', '!=': 'is not', in: 'is one of', 'not in': 'is none of', like: 'is like', 'is null': 'is missing', 'is not null': 'is there' }

interface Props {
  readonly columns: Columns
  readonly value: Filter | null
  readonly onChange: (value: Filter | null) => void
}

export function RowFilter ({ columns, value, onChange }: Props): VNode {
  const flat = flatOf(value)
  if (flat === undefined || columns.length === 0) return html`<${FilterText} value=${value} onChange=${onChange} />`
  const { join, parts } = flat
  const put = (next: readonly Comparison[], by = join): void => onChange(next.length === 0 ? null : next.length === 1 ? next[0] as Comparison : { [by]: next } as unknown as Filter)
  const start: Comparison = [columns[0]?.name ?? '', '=', '']
  return html`<div class="conditions">
    ${parts.length === 0 && html`<p class="faint small">All rows.</p>`}
    ${parts.length > 1 && html`<div class="segments text" role="group" aria-label="How conditions are joined">${(['and', 'or'] as const).map(one => html`<button type="button" aria-pressed=${one === join} onClick=${() => put(parts, one)}>${one === 'and' ? 'all of them' : 'any of them'}</button>`)}</div>`}
    ${parts.map((part, i) => html`<${Condition} key=${i} number=${i + 1} columns=${columns} part=${part} onChange=${(next: Comparison) => put(parts.with(i, next))} onRemove=${() => put(parts.toSpliced(i, 1))} />`)}
    <div><button type="button" class="small" onClick=${() => put([...parts, start])}><${Icon} name="plus" size=${12} />Add a condition on rows</button></div>
  </div>`
}

function Condition ({ number, columns, part: [name, operator, value], onChange, onRemove }: { readonly number: number, readonly columns: Columns, readonly part: Comparison, readonly onChange: (part: Comparison) => void, readonly onRemove: () => void }): VNode {
  const column = columns.find(one => one.name === name) ?? columns[0]
  const numeric = isNumeric(column?.type ?? '')
  const textOf = (event: Event): string => (event.target as HTMLInputElement).value
  const choose = (next: string): void => onChange(next.startsWith('is') ? [name, next] : [name, next, next.endsWith('in') ? listOf(value) : scalarOf(value)])
  const list = operator === 'in' || operator === 'not in'
  return html`<div class="condition" role="group" aria-label=${`Condition ${number}`}>
    <select aria-label="Column" onChange=${(event: Event) => onChange([textOf(event), '=', ''])}>${columns.map(one => html`<option value=${one.name} selected=${one.name === name}>${one.name}</option>`)}</select>
    <select aria-label="Operator" onChange=${(event: Event) => choose(textOf(event))}>${(numeric ? forNumbers : forTexts).map(one => html`<option value=${one} selected=${one === operator}>${words[one] ?? one}</option>`)}</select>
    ${!operator.startsWith('is') && (isBoolean(column?.type ?? '')
      ? html`<select aria-label="Value" onChange=${(event: Event) => onChange([name, operator, textOf(event) === 'true'])}><option value="true" selected=${value === true}>true</option><option value="false" selected=${value !== true}>false</option></select>`
      : html`<${Typed} aria-label="Value" type=${numeric && !list ? 'number' : 'text'} step="any" placeholder=${list ? 'AAPL, MSFT' : operator === 'like' ? 'AA%' : ''} value=${Array.isArray(value) ? value.join(', ') : String(value ?? '')} onChange=${(text: string) => onChange([name, operator, list ? text.split(',').map(one => one.trim()).filter(one => one !== '').map(one => typed(one, numeric)) : typed(text, numeric)])} />`)}
    <button type="button" class="icon-only" aria-label=${`Remove condition ${number}`} onClick=${onRemove}><${Icon} name="close" size=${14} /></button>
  </div>`
}

function FilterText ({ value, onChange }: Omit<Props, 'columns'>): VNode {
  const [text, setText] = useState(value === null ? '' : JSON.stringify(value))
  const [wrong, setWrong] = useState(false)
  const read = (next: string): void => {
    setText(next)
    try {
      onChange(next.trim() === '' ? null : JSON.parse(next) as Filter)
      setWrong(false)
    } catch {
      // It is typed still.
      setWrong(true)
    }
  }
  return html`<${Labelled} label="Rows" hint='As a filter of the data API, such as ["symbol", "in", ["AAPL", "MSFT"]]; empty: all rows' error=${wrong ? 'This is no JSON.' : undefined}>${(control: Control) => html`<textarea ...${control} class="mono" rows="2" spellcheck=${false} value=${text} onInput=${(event: Event) => read((event.target as HTMLTextAreaElement).value)}></textarea>`}</${Labelled}>`
}

/** The conditions of a filter that has one level; undefined: it has more. */
function flatOf (value: Filter | null): { readonly join: Join, readonly parts: readonly Comparison[] } | undefined {
  if (value === null) return { join: 'and', parts: [] }
  const join: Join | undefined = 'and' in value ? 'and' : 'or' in value ? 'or' : undefined
  if (join === undefined) return { join: 'and', parts: [value as Comparison] }
  const parts = (value as unknown as Readonly<Record<Join, readonly Filter[]>>)[join]
  return parts.every(part => Array.isArray(part)) ? { join, parts: parts as unknown as readonly Comparison[] } : undefined
}

function isNumeric (type: string): boolean {
  return /^(?:Nullable\(|LowCardinality\()*(?:U?Int|Float|Decimal)/.test(type)
}

function isBoolean (type: string): boolean {
  return /Bool/.test(type)
}

function typed (text: string, numeric: boolean): Scalar {
  return numeric && text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
}

function listOf (value: Comparison[2]): readonly Scalar[] {
  return Array.isArray(value) ? value : value === undefined || value === '' ? [] : [value as Scalar]
}

function scalarOf (value: Comparison[2]): Scalar {
  return Array.isArray(value) ? (value as readonly Scalar[])[0] ?? '' : value as Scalar | undefined ?? ''
}
