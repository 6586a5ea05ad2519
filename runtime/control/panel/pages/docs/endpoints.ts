import { curlOf } from './curl.ts'
import { typeText } from './type-text.ts'
import { Code } from '../../parts/code.ts'
import { Section } from '../../parts/page.ts'
import { Prose } from '../../parts/prose.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { html, useMemo } from '../../kit/html.ts'
import { plural } from '../../kit/number.ts'
import { route, setQuery } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { JsonSchema } from './type-text.ts'
import type { VNode } from '../../kit/html.ts'

interface Parameter { readonly name: string, readonly in: string, readonly required?: boolean, readonly description?: string, readonly schema?: JsonSchema }

interface Operation {
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: JsonSchema }>> }
  readonly responses?: Readonly<Record<string, { readonly description?: string, readonly content?: Readonly<Record<string, { readonly schema?: JsonSchema }>> }>>
  readonly security?: readonly unknown[]
}

export interface Call extends Operation { readonly method: string, readonly path: string }

interface Description { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> }

/** All calls, by subject; a search narrows them down. */
export function Endpoints (): VNode {
  const description = useResource<Description>('/openapi.json')
  const words = (route.value.query['q'] ?? '').toLowerCase()
  return html`
    <div class="filters" role="search"><div class="field grow"><label for="docs-search">Search</label><input id="docs-search" type="search" placeholder="a path or a word" value=${route.value.query['q'] ?? ''} onInput=${(event: Event) => setQuery({ q: (event.target as HTMLInputElement).value })} /></div></div>
    <${Loaded} of=${description} lines=${10}>${(found: Description) => html`<${Calls} description=${found} words=${words} />`}</${Loaded}>`
}

function Calls ({ description, words }: { readonly description: Description, readonly words: string }): VNode {
  const calls = useMemo(() => Object.entries(description.paths).flatMap(([path, methods]) => Object.entries(methods).filter(([method]) => method !== 'head').map(([method, operation]): Call => ({ ...operation, method: method.toUpperCase(), path }))), [description])
  const shown = calls.filter(({ method, path, summary = '', tags = [] }) => words.split(' ').every(word => `${method} ${path} ${summary} ${tags.join(' ')}`.toLowerCase().includes(word)))
  if (shown.length === 0) return html`<${Empty} title="No call is like that">Try another word.</${Empty}>`
  const subjects = [...Map.groupBy(shown, ({ tags = [] }) => tags[0] ?? 'others')].sort(([a], [b]) => a.localeCompare(b))
  return html`${subjects.map(([subject, members]) => html`<${Section} key=${subject} title=${subject.charAt(0).toUpperCase() + subject.slice(1)} note=${plural(members.length, 'call')}>
    <div class="calls">${members.map(call => html`<${One} key=${`${call.method} ${call.path}`} call=${call} />`)}</div>
  </${Section}>`)}`
}

function One ({ call }: { readonly call: Call }): VNode {
  const { method, path, summary, description, parameters = [], requestBody, responses = {}, security } = call
  const answers = Object.entries(responses).filter(([status]) => status !== 'default')
  return html`<details class="call"><summary><span class=${`method ${method.toLowerCase()}`}>${method}</span><code>${path}</code><span class="faint">${summary}</span></summary>
    <div class="call-body">
      ${description !== undefined && html`<p><${Prose} text=${description} /></p>`}
      ${security?.length === 0 && html`<p class="faint small">It needs no login.</p>`}
      ${parameters.length > 0 && html`<h3>Parameters</h3><${Table} label=${`Parameters of ${method} ${path}`} rows=${parameters} keyOf=${({ name }: Parameter) => name} columns=${[
        { id: 'name', title: 'Name', cell: ({ name, required }: Parameter) => html`<code>${name}</code>${required === true && html` <span class="faint small">required</span>`}` },
        { id: 'in', title: 'In', wide: true, cell: (one: Parameter) => one.in },
        { id: 'type', title: 'Type', cell: ({ schema }: Parameter) => html`<code>${typeText(schema)}</code>` },
        { id: 'text', title: 'Meaning', grow: true, cell: (one: Parameter) => html`<${Prose} text=${one.description ?? one.schema?.description} />` }
      ]} />`}
      ${Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) => html`<h3>Body, ${type}</h3><${Shape} schema=${schema} />`)}
      ${answers.map(([status, { description, content = {} }]) => html`<h3>Answer ${status}</h3>${description !== undefined && description !== 'Default Response' && html`<p class="faint">${description}</p>`}${Object.values(content).map(({ schema }) => html`<${Shape} schema=${schema} />`)}`)}
      <h3>With curl</h3><${Code} text=${curlOf(call, location.origin)} language="shell" what="the command" />
    </div>
  </details>`
}

/** The fields of an object, and of those in it. */
function Shape ({ schema }: { readonly schema: JsonSchema | undefined }): VNode {
  const inner = schema?.type === 'array' ? schema.items : schema
  const fields = Object.entries(inner?.properties ?? {})
  if (fields.length === 0) return html`<p><code>${typeText(schema)}</code> ${schema?.description}</p>`
  return html`<ul class="shape">${fields.map(([name, field]) => {
    const nested = field.type === 'array' ? field.items : field
    return html`<li><code>${name}</code> <span class="faint small">${typeText(field)}${inner?.required?.includes(name) === true ? ', required' : ''}</span> <${Prose} text=${field.description} />${Object.keys(nested?.properties ?? {}).length > 0 && html`<${Shape} schema=${nested} />`}</li>`
  })}</ul>`
}
