import { Table } from './table.ts'
import { html, useMemo } from '../kit/html.ts'
import { kindOf } from '../pages/data/shapes.ts'
import type { VNode } from '../kit/html.ts'
import type { DatasetColumn, Row } from '../pages/data/shapes.ts'

const VALUE_CHARS_MAX = 60

/** Rows of a dataset as they came: numbers to the right, times in UTC. */
export function RowsTable ({ label, columns, rows }: { readonly label: string, readonly columns: readonly DatasetColumn[], readonly rows: readonly Row[] }): VNode {
  const drawn = useMemo(() => columns.map(column => {
    const kind = kindOf(column)
    return {
      id: column.name,
      title: column.name,
      right: kind === 'number',
      value: (row: Row) => sortable(row[column.name], kind === 'number'),
      cell: (row: Row) => cell(row[column.name], kind === 'time')
    }
  }), [columns])
  return html`<${Table} label=${label} rows=${rows} columns=${drawn} keyOf=${(_: Row, i: number) => String(i)} empty=${{ title: 'No rows', text: 'Nothing in this time fits. Take a longer range, or fewer conditions.' }} />`
}

function sortable (value: unknown, isNumber: boolean): string | number | undefined {
  if (value === null || value === undefined) return undefined
  // Whole numbers of 64 bits, and exact decimals, come as text.
  return isNumber ? Number(value) : typeof value === 'number' ? value : textOf(value)
}

function cell (value: unknown, isTime: boolean): VNode | string {
  if (value === null || value === undefined) return html`<span class="faint" title="null">–</span>`
  const text = isTime ? textOf(value).replace('T', ' ').replace(/Z$/, '') : textOf(value)
  return text.length > VALUE_CHARS_MAX ? html`<span title=${text.slice(0, 1000)}>${text.slice(0, VALUE_CHARS_MAX)}…</span>` : text
}

function textOf (value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
