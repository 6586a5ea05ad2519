import { Estimate } from './estimate.ts'
import { FieldsField } from './fields-field.ts'
import { Filters } from './filters.ts'
import { KindFields } from './kind-fields.ts'
import { Result } from './result.ts'
import { SymbolsField } from './symbols-field.ts'
import { TakeAlong } from './take-along.ts'
import { ask, isComplete, listOf, questionOf } from './question.ts'
import { useAnswer } from './answer.ts'
import { Labelled } from '../../parts/form.ts'
import { Icon } from '../../parts/icon.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded, ProblemBox } from '../../parts/problem.ts'
import { RangePicker } from '../../parts/range.ts'
import { html, useEffect, useRef } from '../../kit/html.ts'
import { href, route, setQuery } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { Control } from '../../parts/form.ts'
import type { RangeText } from '../../parts/range.ts'
import type { VNode } from '../../kit/html.ts'
import type { Dataset } from '../data/shapes.ts'
import type { Kind, Question } from './question.ts'

const kindTitles: ReadonlyArray<readonly [Kind, string]> = [['data', 'Rows'], ['bars', 'Bars'], ['latest', 'Last row of each symbol'], ['join', 'As-of join']]

/** The form, what it would cost, and what came. */
export function Builder (): VNode {
  const all = useResource<{ datasets: readonly Dataset[] }>('/v1/datasets')
  return html`<${Loaded} of=${all} lines=${6}>${({ datasets }: { datasets: readonly Dataset[] }) => datasets.length === 0
    ? html`<${Empty} title="No dataset that you may read">Ask for a grant: the page Access says who gives it.</${Empty}>`
    : html`<${Form} datasets=${datasets} />`}</${Loaded}>`
}

function Form ({ datasets }: { readonly datasets: readonly Dataset[] }): VNode {
  const question = questionOf()
  const dataset = datasets.find(one => one.dataset === question?.dataset)
  // A dataset and an hour to begin with: an empty form teaches nothing.
  useEffect(() => {
    if (route.peek().query['dataset'] !== undefined) return
    const newest = datasets.toSorted((a, b) => (b.freshness.last_event_at ?? '').localeCompare(a.freshness.last_event_at ?? '') || b.rows - a.rows).find(({ owner, key }) => owner !== 'platform' && key.length > 0) ?? datasets[0]
    setQuery({ dataset: newest?.dataset, last: '1h' })
  }, [])
  if (question === undefined) return html``
  if (dataset === undefined) return html`<${ProblemBox} problem=${{ status: 404, code: 'NOT_FOUND', title: 'Not available', detail: `There is no dataset ${JSON.stringify(question.dataset)} that you may read`, remedy: '' }} /><p><a href=${href(['explore'])}>Begin with another one</a></p>`
  return html`<${Asked} key=${dataset.dataset} question=${question} dataset=${dataset} datasets=${datasets} />`
}

function Asked ({ question, dataset, datasets }: { readonly question: Question, readonly dataset: Dataset, readonly datasets: readonly Dataset[] }): VNode {
  const answer = useAnswer()
  const complete = isComplete(question)
  const asked = useRef('')
  const run = (): void => {
    asked.current = JSON.stringify(question)
    setQuery({ run: 1 })
    void answer.run(question)
  }
  // An address that was shared after it ran shows its answer at once.
  useEffect(() => { if (route.value.query['run'] !== undefined && complete && asked.current !== JSON.stringify(question)) run() })
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || !complete) return
    event.preventDefault()
    run()
  }
  return html`
    <form class="section question" aria-label="The question" onSubmit=${(event: Event) => { event.preventDefault(); if (complete) run() }} onKeyDown=${onKeyDown}>
      <${What} question=${question} dataset=${dataset} datasets=${datasets} />
      <${KindFields} question=${question} dataset=${dataset} datasets=${datasets} />
      <${Filters} key=${`${question.kind} ${dataset.dataset}`} columns=${dataset.columns} where=${question.params['where']} onChange=${(where: string | undefined) => ask({ where })} />
      ${question.kind !== 'bars' && html`<${FieldsField} columns=${dataset.columns} fields=${listOf(question.params['fields'])} onChange=${(fields: readonly string[]) => ask({ fields: fields.join(',') })} />`}
      <footer>
        <button type="submit" class="primary" disabled=${!complete || answer.busy}><${Icon} name="play" />${answer.busy ? 'Running…' : 'Run'}</button>
        ${complete ? html`<${Estimate} question=${question} />` : html`<span class="faint small">${question.kind === 'join' ? 'Choose the dataset to join with' : 'Choose how long a bar is'}</span>`}
        <${TakeAlong} question=${question} complete=${complete} />
      </footer>
    </form>
    ${answer.problem !== undefined && html`<${ProblemBox} problem=${answer.problem} again=${run} />`}
    ${answer.page === undefined
      ? answer.problem === undefined && html`<${Section} title="Answer"><${Empty} title=${answer.busy ? 'On its way…' : 'Not asked yet'}>${answer.busy ? '' : html`Press Run, or <kbd>Ctrl Enter</kbd>. The estimate above says how much it is before you do.`}</${Empty}></${Section}>`
      : html`<${Result} answer=${answer} question=${question} keys=${dataset.key} />`}`
}

function What ({ question: { kind, dataset, params }, dataset: chosen, datasets }: { readonly question: Question, readonly dataset: Dataset, readonly datasets: readonly Dataset[] }): VNode {
  // What is about the columns of one dataset means nothing in another one.
  const choose = (event: Event): void => setQuery({ dataset: (event.target as HTMLSelectElement).value, symbols: undefined, fields: undefined, where: undefined, price: undefined, size: undefined, right: undefined, take: undefined, run: undefined })
  return html`<div class="filters">
    <${Labelled} label="Dataset">${(control: Control) => html`<select ...${control} value=${dataset} onChange=${choose}>${datasets.map(one => html`<option value=${one.dataset}>${one.dataset}</option>`)}</select>`}</${Labelled}>
    <${Labelled} label="What of it">${(control: Control) => html`<select ...${control} value=${kind} onChange=${(event: Event) => ask({ kind: (event.target as HTMLSelectElement).value })}>${kindTitles.map(([id, title]) => html`<option value=${id}>${title}</option>`)}</select>`}</${Labelled}>
    <${RangePicker} all range=${{ last: params['last'], start: params['start'], end: params['end'] }} onChange=${(range: RangeText) => ask({ ...range })} />
    ${chosen.key.length > 0 && html`<${SymbolsField} dataset=${dataset} symbols=${listOf(params['symbols'])} onChange=${(symbols: readonly string[]) => ask({ symbols: symbols.join(',') })} />`}
  </div>`
}
