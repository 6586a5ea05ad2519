import { errorMeanings } from '../../../../errors.ts'
import { Code } from '../../parts/code.ts'
import { Section } from '../../parts/page.ts'
import { Table } from '../../parts/table.ts'
import { html } from '../../kit/html.ts'
import type { VNode } from '../../kit/html.ts'

interface Row { readonly code: string, readonly status: number, readonly retryable: boolean }

const rows: readonly Row[] = Object.entries(errorMeanings).map(([code, meaning]) => ({ code, ...meaning }))

const statuses: Readonly<Record<number, string>> = {
  400: 'what was sent cannot be meant',
  401: 'who asks is not known',
  403: 'not allowed; the text names what is missing',
  404: 'there is no such thing',
  409: 'not in this state',
  415: 'not this type of body',
  421: 'another runtime has to be asked',
  422: 'a parameter, a file or a statement is wrong; the problems are listed',
  429: 'too often, or too much; Retry-After says how long to wait',
  500: 'a fault of the platform; the log has it',
  502: 'a source or a destination refused',
  503: 'a part is down',
  504: 'it took too long',
  507: 'the disk is full'
}

const example = `{
  "type": "urn:twolane:error:scope-missing",
  "title": "Scope missing",
  "status": 403,
  "code": "SCOPE_MISSING",
  "detail": "This needs the scope jobs:run, which ada lacks",
  "remedy": "Ask an admin for a role that has it.",
  "instance": "id of the request; the log knows it under the same"
}`

/** Every code that an answer can have. */
export function Errors (): VNode {
  return html`
    <${Section} title="What an error looks like" note="RFC 9457, application/problem+json"><p>Branch on <code>code</code>; <code>detail</code> says what is wrong, <code>remedy</code> what to do, and <code>problems</code> where, each with its place.</p><${Code} text=${example} language="json" what="an error" /></${Section}>
    <${Section} title="All codes"><${Table} label="Error codes" name="errors" sort="status" rows=${rows} keyOf=${({ code }: Row) => code} columns=${[
      { id: 'code', title: 'Code', value: ({ code }: Row) => code, cell: ({ code }: Row) => html`<code>${code}</code>` },
      { id: 'status', title: 'Status', right: true, value: ({ status }: Row) => status },
      { id: 'retry', title: 'Try again?', value: ({ retryable }: Row) => retryable ? 'yes, later' : 'not unchanged' },
      { id: 'text', title: 'Kind', grow: true, wide: true, cell: ({ status }: Row) => statuses[status] ?? '' }
    ]} /></${Section}>`
}
