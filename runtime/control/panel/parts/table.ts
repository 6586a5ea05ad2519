// Tables: sorted by a click, walked with j and k, and drawn only where they are looked at once they are long.

import { Icon } from './icon.ts'
import { Empty } from './problem.ts'
import { classes, html, useMemo, useRef, useState } from '../kit/html.ts'
import { route, setQuery } from '../kit/route.ts'
import type { ComponentChildren, VNode } from '../kit/html.ts'

export interface Column<T> {
  readonly id: string
  readonly title: string
  /** What the column is sorted by; left out: it is not sorted. */
  readonly value?: (row: T) => string | number | undefined | null
  /** What is shown; left out: the value. */
  readonly cell?: (row: T) => ComponentChildren
  /** Numbers stand at the right. */
  readonly right?: boolean
  /** Left out on narrow screens. */
  readonly wide?: boolean
  /** Takes the room that is left. */
  readonly grow?: boolean
}

export interface TableProps<T> {
  /** What the table holds, for those who do not see it. */
  readonly label: string
  readonly rows: readonly T[]
  readonly columns: ReadonlyArray<Column<T>>
  readonly keyOf: (row: T, index: number) => string
  /** Keeps the sorting in the address under this name. */
  readonly name?: string
  /** Column to sort by at first; `-` before it: from the largest. Left out: as the rows come. */
  readonly sort?: string
  readonly empty?: { readonly title: string, readonly text?: ComponentChildren }
  /** What a row holds besides, shown below it on demand. */
  readonly detail?: (row: T) => ComponentChildren
}

/** From so many rows on only those that are seen are drawn. */
const VIRTUAL_ROWS_MIN = 150
const ROW_PIXELS = 33
const VIEW_PIXELS = 560
const ROWS_AROUND = 10

export function Table<T> ({ label, rows, columns, keyOf, name, sort = '', empty, detail }: TableProps<T>): VNode {
  const [own, setOwn] = useState(sort)
  const by = name === undefined ? own : route.value.query[`${name}.sort`] ?? sort
  const setBy = (next: string): void => name === undefined ? setOwn(next) : setQuery({ [`${name}.sort`]: next })
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const [top, setTop] = useState(0)
  const scroller = useRef<HTMLDivElement>(null)
  const sorted = useMemo(() => sortRows(rows, columns, by), [rows, columns, by])

  if (rows.length === 0 && empty !== undefined) return html`<${Empty} title=${empty.title}>${empty.text}</${Empty}>`
  const virtual = sorted.length >= VIRTUAL_ROWS_MIN && detail === undefined
  const first = virtual ? Math.max(0, Math.floor(top / ROW_PIXELS) - ROWS_AROUND) : 0
  const last = virtual ? Math.min(sorted.length, first + Math.ceil(VIEW_PIXELS / ROW_PIXELS) + 2 * ROWS_AROUND) : sorted.length
  const span = columns.length + (detail === undefined ? 0 : 1)
  const toggle = (key: string): void => {
    const next = new Set(open)
    if (!next.delete(key)) next.add(key)
    setOpen(next)
  }

  return html`<div class=${classes('table', virtual && 'virtual')} ref=${scroller} role="region" aria-label=${label} tabindex="0" onScroll=${virtual ? () => setTop(scroller.current?.scrollTop ?? 0) : undefined}>
    <table aria-rowcount=${virtual ? sorted.length + 1 : undefined}>
      <thead><tr>${detail !== undefined && html`<th class="expander"><span class="hidden">More</span></th>`}${columns.map(column => html`<${Head} column=${column} by=${by} setBy=${setBy} />`)}</tr></thead>
      <tbody>
        ${first > 0 && html`<tr class="space" aria-hidden="true" style=${{ height: `${first * ROW_PIXELS}px` }}><td colspan=${span}></td></tr>`}
        ${sorted.slice(first, last).map((row, i) => {
          const key = keyOf(row, first + i)
          return html`
            <tr key=${key} data-row aria-rowindex=${virtual ? first + i + 2 : undefined}>
              ${detail !== undefined && html`<td class="expander"><button type="button" class="icon-only" aria-expanded=${open.has(key)} aria-label=${open.has(key) ? 'Show less' : 'Show more'} onClick=${() => toggle(key)}><${Icon} name=${open.has(key) ? 'down' : 'chevron'} size=${12} /></button></td>`}
              ${columns.map(column => html`<td class=${cellClass(column)}>${column.cell === undefined ? column.value?.(row) ?? '–' : column.cell(row)}</td>`)}
            </tr>
            ${detail !== undefined && open.has(key) && html`<tr key=${`${key} detail`} class="detail"><td colspan=${span}>${detail(row)}</td></tr>`}`
        })}
        ${last < sorted.length && html`<tr class="space" aria-hidden="true" style=${{ height: `${(sorted.length - last) * ROW_PIXELS}px` }}><td colspan=${span}></td></tr>`}
      </tbody>
    </table>
  </div>`
}

function Head<T> ({ column, by, setBy }: { readonly column: Column<T>, readonly by: string, readonly setBy: (next: string) => void }): VNode {
  if (column.value === undefined) return html`<th scope="col" class=${cellClass(column)}>${column.title === '' ? html`<span class="hidden">Actions</span>` : column.title}</th>`
  const state = by === column.id ? 'ascending' : by === `-${column.id}` ? 'descending' : 'none'
  const next = state === 'ascending' ? `-${column.id}` : state === 'descending' ? '' : column.id
  return html`<th scope="col" class=${cellClass(column)} aria-sort=${state}><button type="button" onClick=${() => setBy(next)}>${column.title}${state !== 'none' && html`<${Icon} name=${state === 'ascending' ? 'up' : 'down'} size=${10} />`}</button></th>`
}

function cellClass<T> ({ right, wide, grow }: Column<T>): string {
  return classes(right && 'right', wide && 'wide-only', grow && 'grow')
}

/** Rows without a value come last, either way; equal ones keep their order. */
function sortRows<T> (rows: readonly T[], columns: ReadonlyArray<Column<T>>, by: string): readonly T[] {
  const descending = by.startsWith('-')
  const value = columns.find(({ id }) => id === (descending ? by.slice(1) : by))?.value
  if (value === undefined) return rows
  const sign = descending ? -1 : 1
  return [...rows].sort((a, b) => {
    const [left, right] = [value(a) ?? undefined, value(b) ?? undefined]
    if (left === undefined || right === undefined) return left === right ? 0 : left === undefined ? 1 : -1
    if (typeof left === 'number' && typeof right === 'number') return sign * (left - right)
    return sign * String(left).localeCompare(String(right), 'en', { numeric: true })
  })
}
