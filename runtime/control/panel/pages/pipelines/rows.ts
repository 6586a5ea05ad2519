import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { Code } from '../../parts/code.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { html } from '../../kit/html.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 3000
const ROWS = 50
const VALUE_CHARS_MAX = 40
/** Fields of a row that the table shows; all of them are in its detail. */
const FIELDS_SHOWN = 6

interface TailRow { readonly partition: number, readonly offset: number, readonly time: number, readonly row: Readonly<Record<string, unknown>> }

/** The last rows of a topic, newest first. */
export function TopicRows ({ topic }: { readonly topic: string }): VNode {
  const allowed = may('topics:read')
  const tail = useResource<{ rows: readonly TailRow[] }>(allowed ? `/v1/topics/${topic}/tail?rows=${ROWS}` : undefined, { every: EVERY_MS })
  if (!allowed) return html`<${Empty} title="Needs the scope topics:read">Rows in topics are as they came from the source, before any grant on columns or rows.</${Empty}>`
  return html`<${Section} title=${`Last rows of ${topic}`} note="as the topic holds them, newest first"><${Loaded} of=${tail}>${({ rows }: { rows: readonly TailRow[] }) => {
    const fields = Object.keys(rows.at(-1)?.row ?? {}).slice(0, FIELDS_SHOWN)
    return html`<${Table} label=${`Rows of ${topic}`} rows=${rows.toReversed()} keyOf=${({ partition, offset }: TailRow) => `${partition} ${offset}`} empty=${{ title: 'The topic has no rows yet', text: 'They show here as soon as its input sends some.' }}
      detail=${({ row }: TailRow) => html`<${Code} text=${JSON.stringify(row, null, 2)} language="json" what="the row" />`}
      columns=${[
        { id: 'offset', title: 'Offset', right: true, cell: ({ partition, offset }: TailRow) => html`<code>${partition}:${offset}</code>` },
        { id: 'time', title: 'Stored', cell: ({ time }: TailRow) => html`<${Time} at=${time} as="clock" />` },
        ...fields.map((field, i) => ({ id: field, title: field, wide: i > 1, cell: ({ row }: TailRow) => shown(row[field]) }))
      ]} />`
  }}</${Loaded}></${Section}>`
}

function shown (value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value) ?? ''
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text
}
