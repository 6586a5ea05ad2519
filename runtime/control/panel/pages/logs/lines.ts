import { Code } from '../../parts/code.ts'
import { Mark } from '../../parts/mark.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { html } from '../../kit/html.ts'
import type { Level } from '../../parts/mark.ts'
import type { VNode } from '../../kit/html.ts'

export interface LogLine {
  readonly id: string
  readonly at: string | number
  readonly level: string
  readonly part: string
  readonly step: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Lines that the page holds; older ones are found by search. */
export const LINES_MAX = 2000

const marks: Readonly<Record<string, Level>> = { error: 'bad', fatal: 'bad', warn: 'warn', info: 'idle', debug: 'unknown', trace: 'unknown' }
const FIELDS_CHARS_MAX = 110

export function Lines ({ lines, empty }: { readonly lines: readonly LogLine[], readonly empty: string }): VNode {
  return html`<${Table} label="Log lines" rows=${lines} keyOf=${({ id }: LogLine, i: number) => id === '' ? String(i) : id} empty=${{ title: empty }}
    detail=${(line: LogLine) => html`<${Code} text=${JSON.stringify({ at: line.at, level: line.level, part: line.part, step: line.step, message: line.message, ...line.fields }, null, 2)} language="json" what="the line" />`}
    columns=${[
      { id: 'at', title: 'UTC', cell: ({ at }: LogLine) => html`<${Time} at=${at} as="clock" />` },
      { id: 'level', title: 'Level', cell: ({ level }: LogLine) => html`<${Mark} level=${marks[level] ?? 'unknown'} word=${level} quiet />` },
      { id: 'part', title: 'Part', wide: true, cell: ({ part, step }: LogLine) => html`${part === '' ? 'platform' : part}${step !== '' && html` <span class="faint">${step}</span>`}` },
      { id: 'message', title: 'Message', grow: true, cell: ({ message, fields }: LogLine) => html`${message} <span class="faint small">${brief(fields)}</span>` }
    ]} />`
}

function brief (fields: Readonly<Record<string, unknown>>): string {
  const text = Object.entries(fields ?? {}).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ').replace(/(?:\s|\\n)+/g, ' ')
  return text.length > FIELDS_CHARS_MAX ? `${text.slice(0, FIELDS_CHARS_MAX)}…` : text
}
