import { LevelMark, measured } from './rules.ts'
import { Code } from '../../parts/code.ts'
import { Labelled } from '../../parts/form.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { addressOf } from '../../kit/api.ts'
import { html } from '../../kit/html.ts'
import { count } from '../../kit/number.ts'
import { href, setQuery } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { QualityResult, QualityRule } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 10_000
const ROWS = 200
const DAY_MS = 86_400_000

/** What the checks of one topic found, with rows that broke the rules. */
export function Results ({ rules, query }: { readonly rules: readonly QualityRule[], readonly query: Readonly<Record<string, string>> }): VNode {
  const topics = [...new Set(rules.map(({ topic }) => topic))]
  const { topic = topics[0] ?? '', rule, level, day } = query
  const allowed = may('topics:read')
  // A day is checked on the next one, before it is handed over, and perhaps again later.
  const results = useResource<{ results: readonly QualityResult[] }>(allowed ? addressOf(`/v1/quality/${topic}`, { rule, level, rows: ROWS, from: day }) : undefined, { every: EVERY_MS })
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  const start = day === undefined ? 0 : Date.parse(day)
  const fits = ({ scope, from, at }: QualityResult): boolean => day === undefined || (scope === 'day' ? from >= start && from < start + DAY_MS : at >= start && at < start + DAY_MS)
  if (!allowed) return html`<${Section} title="Results"><${Empty} title="Needs the scope topics:read">Results hold rows that broke the rules, as they came from the source.</${Empty}></${Section}>`
  return html`<${Section} title="Results" note="newest first" actions=${html`<a class="button small" href=${href(['quality'], { tab: 'rejected', topic })}>Rejected rows of ${topic}</a>`}>
    <div class="filters top narrow padded">
      <${Labelled} label="Dataset">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ topic: valueOf(event), rule: undefined })}>${topics.map(one => html`<option value=${one} selected=${one === topic}>${one}</option>`)}</select>`}</${Labelled}>
      <${Labelled} label="Rule">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ rule: valueOf(event) })}><option value="" selected=${rule === undefined}>all</option>${rules.filter(one => one.topic === topic).map(one => html`<option value=${one.rule} selected=${one.rule === rule}>${one.rule}</option>`)}</select>`}</${Labelled}>
      <${Labelled} label="State">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => setQuery({ level: valueOf(event) })}>${[['', 'all'], ['ok', 'holds'], ['warn', 'warns'], ['error', 'fails']].map(([value, word]) => html`<option value=${value} selected=${value === (level ?? '')}>${word}</option>`)}</select>`}</${Labelled}>
      <${Labelled} label="Day">${(control: Control) => html`<input ...${control} type="date" value=${day ?? ''} onChange=${(event: Event) => setQuery({ day: valueOf(event) })} />`}</${Labelled}>
    </div>
    <${Loaded} of=${results}>${({ results: found }: { results: readonly QualityResult[] }) => html`<${Table} label="Results of checks" rows=${found.filter(fits)} keyOf=${({ rule, dataset, scope, at }: QualityResult) => `${rule} ${dataset} ${scope} ${at}`} empty=${{ title: 'No check fits', text: 'Days are checked before they are handed to the warehouse; what is fresh, all the time.' }} detail=${(result: QualityResult) => html`<${Detail} result=${result} />`} columns=${[
      { id: 'level', title: 'State', cell: ({ level: found }: QualityResult) => html`<${LevelMark} level=${found} />` },
      { id: 'rule', title: 'Rule', cell: ({ rule }: QualityResult) => rule },
      { id: 'value', title: 'Measured', right: true, cell: (one: QualityResult) => measured(one) },
      { id: 'failing', title: 'Rows', right: true, wide: true, cell: ({ failing, rows }: QualityResult) => `${count(failing)} of ${count(rows)}` },
      { id: 'about', title: 'Of', grow: true, wide: true, cell: ({ dataset, scope, from }: QualityResult) => html`${dataset} <span class="faint">${scope === 'day' ? new Date(from).toISOString().slice(0, 10) : 'the last minutes'}</span>` },
      { id: 'at', title: 'Checked', cell: ({ at }: QualityResult) => html`<${Time} at=${at} as="both" />` }
    ]} />`}</${Loaded}>
  </${Section}>`
}

function Detail ({ result: { message, threshold, examples, run } }: { readonly result: QualityResult }): VNode {
  return html`<p>${message === '' ? `It ${threshold}` : message}. ${run !== '' && html`<span class="faint small">Run <code>${run}</code></span>`}</p>
    ${examples.length > 0 ? html`<p class="faint small">Some of the rows that broke it:</p><${Code} text=${examples.map(row => JSON.stringify(row)).join('\n')} language="json" what="the rows" />` : html`<p class="faint small">No row is kept of it.</p>`}`
}
