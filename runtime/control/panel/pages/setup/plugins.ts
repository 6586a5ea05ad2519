// Choosing a plugin, its options as a form, and the test of the connection that they describe.

import { Fields } from '../../parts/form.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { ProblemBox } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { post, problemOf } from '../../kit/api.ts'
import { classes, html, useState } from '../../kit/html.ts'
import { plural } from '../../kit/number.ts'
import { useResource } from '../../kit/resource.ts'
import type { FieldSchema, Values } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'
import type { Resource } from '../../kit/resource.ts'
import type { Checked, Plugin } from './shapes.ts'

/** Options that stand in front where none has to be given. */
const FRONT = 4
const SHOWN_CHARS = 60

export function usePlugins (): Resource<{ readonly plugins: readonly Plugin[] }> {
  return useResource<{ plugins: readonly Plugin[] }>('/v1/plugins')
}

/** One of some plugins, as cards. */
export function PluginCards ({ plugins, chosen, label, onChoose }: { readonly plugins: readonly Plugin[], readonly chosen: string | undefined, readonly label: string, readonly onChoose: (plugin: Plugin) => void }): VNode {
  return html`<div class="choices" role="group" aria-label=${label}>${plugins.map(plugin => html`
    <button type="button" key=${plugin.name} class="choice" aria-pressed=${plugin.name === chosen} disabled=${!plugin.allowed} onClick=${() => onChoose(plugin)}>
      <strong>${plugin.title}</strong>
      <span>${plugin.description}${plugin.guarantee !== undefined && html` <span class="tag">${plugin.guarantee}</span>`}${plugin.bounded && html` <span class="tag">ends: fits a job</span>`}</span>
      ${!plugin.allowed && html`<span class="small"><${Icon} name="lock" size=${12} /> Your roles do not allow it</span>`}
    </button>`)}</div>`
}

/** The options of a plugin: what has to be given first, the rest on demand. */
export function OptionsForm ({ schema, values, onChange, errors = {} }: { readonly schema: FieldSchema, readonly values: Values, readonly onChange: (values: Values) => void, readonly errors?: Readonly<Record<string, string>> }): VNode {
  const names = Object.keys(schema.properties ?? {})
  const required = new Set(schema.required)
  const front = new Set(names.filter(name => required.has(name) || values[name] !== undefined))
  // The set is taken once: a field does not move while it is typed in.
  const [shown] = useState(() => new Set([...front, ...front.size === 0 ? names.slice(0, FRONT) : []]))
  const part = (belongs: (name: string) => boolean): FieldSchema => ({ ...schema, properties: Object.fromEntries(Object.entries(schema.properties ?? {}).filter(([name]) => belongs(name))) })
  const rest = names.filter(name => !shown.has(name))
  if (names.length === 0) return html`<p class="faint">It has no options.</p>`
  return html`<div class="options">
    <${Fields} schema=${part(name => shown.has(name))} values=${values} errors=${errors} onChange=${onChange} />
    ${rest.length > 0 && html`<details open=${rest.some(name => errors[name] !== undefined)}><summary>${plural(rest.length, 'more option')}</summary><${Fields} schema=${part(name => !shown.has(name))} values=${values} errors=${errors} onChange=${onChange} /></details>`}
  </div>`
}

export interface TestProps {
  readonly kind: 'input' | 'output'
  readonly plugin: string
  readonly options: Values
  readonly topic?: string | undefined
  /** The step that *** in the options stands for the secrets of. */
  readonly saved?: { readonly pipeline: string, readonly step: string } | undefined
  readonly onTested?: (checked: Checked) => void
}

/** A button that tries the connection, with what each step of it took, and the first rows of a source. */
export function ConnectionTest ({ kind, plugin, options, topic, saved, onTested }: TestProps): VNode {
  const [busy, setBusy] = useState(false)
  const [answer, setAnswer] = useState<{ readonly of: string, readonly checked?: Checked, readonly problem?: Problem }>()
  // What was found is true of the options that were tried, and of no others.
  const tried = JSON.stringify([plugin, options, topic])
  const { checked, problem } = answer?.of === tried ? answer : {}
  const run = async (): Promise<void> => {
    setBusy(true)
    setAnswer(undefined)
    try {
      const found = await post<Checked>('/v1/check', { kind, plugin, options, ...(topic !== undefined && { topic }), ...(saved !== undefined && { saved }) })
      setAnswer({ of: tried, checked: found })
      onTested?.(found)
    } catch (error) {
      setAnswer({ of: tried, problem: problemOf(error) })
    } finally {
      setBusy(false)
    }
  }
  return html`<div class="test" aria-live="polite">
    <div class="buttons"><button type="button" disabled=${busy} onClick=${run}><${Icon} name="play" size=${12} />${busy ? 'Testing…' : 'Test the connection'}</button>${checked !== undefined && html`<${Mark} level=${checked.ok ? 'ok' : 'bad'} word=${checked.ok ? 'It works' : 'It does not work'} />`}</div>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    ${checked !== undefined && html`<ol class="test-steps">${checked.steps.map(({ name, ok, ms, detail }) => html`<li><${Mark} level=${ok ? 'ok' : 'bad'} word=${name} quiet /><span>${detail}</span><span class="faint">${ms} ms</span></li>`)}</ol>`}
    ${checked !== undefined && checked.sample.length > 0 && html`<${Sample} rows=${checked.sample} />`}
  </div>`
}

/** Rows as a source gives them. */
export function Sample ({ rows }: { readonly rows: Checked['sample'] }): VNode {
  const names = [...new Set(rows.flatMap(row => Object.keys(row)))]
  const text = (value: unknown): string => {
    const all = typeof value === 'string' ? value : JSON.stringify(value) ?? ''
    return all.length > SHOWN_CHARS ? `${all.slice(0, SHOWN_CHARS)}…` : all
  }
  return html`<figure class="sample"><figcaption class="faint small">${plural(rows.length, 'row')} as the source gives them. It is not told that they were taken.</figcaption><${Table} label="Sample rows" rows=${rows} keyOf=${(_: unknown, i: number) => String(i)} columns=${names.map(name => ({
    id: name,
    title: name,
    right: rows.every(row => row[name] === undefined || typeof row[name] === 'number'),
    cell: (row: Checked['sample'][number]) => html`<span class=${classes(row[name] === undefined && 'faint')}>${row[name] === undefined ? '–' : text(row[name])}</span>`
  }))} /></figure>`
}
