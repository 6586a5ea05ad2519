import { typeWords } from '../data/shapes.ts'
import { html, useState } from '../../kit/html.ts'
import type { DatasetColumn } from '../data/shapes.ts'
import type { VNode } from '../../kit/html.ts'

/** Which columns the answer has; none chosen: all but those that say where a row stood. */
export function FieldsField ({ columns, fields, onChange, label = 'Fields' }: { readonly columns: readonly DatasetColumn[], readonly fields: readonly string[], readonly onChange: (fields: readonly string[]) => void, readonly label?: string }): VNode {
  const [words, setWords] = useState('')
  const chosen = new Set(fields)
  const shown = columns.filter(({ name, description = '' }) => `${name} ${description}`.toLowerCase().includes(words.toLowerCase()))
  // In the order of the dataset, whatever the order of the clicks.
  const toggle = (name: string): void => onChange(columns.map(column => column.name).filter(one => one === name ? !chosen.has(one) : chosen.has(one)))
  return html`<details class="choose">
    <summary>${label}: <strong>${fields.length === 0 ? 'all' : fields.length > 4 ? `${fields.length} of ${columns.length}` : fields.join(', ')}</strong></summary>
    <div class="filters"><div class="field grow"><input type="search" aria-label=${`Search ${label.toLowerCase()}`} placeholder="Search fields" value=${words} onInput=${(event: Event) => setWords((event.target as HTMLInputElement).value)} /></div>
      <button type="button" disabled=${fields.length === 0} onClick=${() => onChange([])}>All fields</button></div>
    <div class="checks" role="group" aria-label=${label}>${shown.map(column => html`<label key=${column.name} title=${column.description}><input type="checkbox" checked=${chosen.has(column.name)} onChange=${() => toggle(column.name)} /><span>${column.name} <span class="faint small">${column.unit === undefined || column.unit === '' ? typeWords(column) : column.unit}</span></span></label>`)}</div>
  </details>`
}
