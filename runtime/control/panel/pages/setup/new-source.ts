// A new source, from the plugin to the first rows: one page whose parts open one after the other, so that each can be
// looked at again.

import { TopicChoice, isReady } from './topic-choice.ts'
import { DestinationChoice } from './destination-choice.ts'
import { ConnectionTest, OptionsForm, PluginCards, usePlugins } from './plugins.ts'
import { Applied, Review } from './review.ts'
import { ScheduleChoice, scheduleOf } from './schedule-choice.ts'
import { WizardPart } from './wizard-part.ts'
import { Arriving } from './arriving.ts'
import { Labelled, checkValues } from '../../parts/form.ts'
import { Page } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { useDraft } from '../../kit/draft.ts'
import { html, useState } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import type { Destination } from './destination-choice.ts'
import type { Schedule } from './schedule-choice.ts'
import type { Topic } from './topic-choice.ts'
import type { Change, Checked, Plugin } from './shapes.ts'
import type { Control, Values } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'
import type { Receipt } from '../../kit/shapes.ts'

const idPattern = /^[a-z0-9][a-z0-9_-]{0,63}$/

export function NewSource (): VNode {
  const plugins = usePlugins()
  return html`<${Page} name="Add a source" crumbs=${[{ title: 'Setup', path: ['setup'] }, { title: 'Sources', path: ['setup', 'sources'] }]} note="Nothing is written before the last step.">
    <${Loaded} of=${plugins} lines=${8}>${({ plugins: found }: { plugins: readonly Plugin[] }) => html`<${Wizard} plugins=${found} />`}</${Loaded}>
  </${Page}>`
}

interface Draft {
  readonly plugin: Plugin | undefined
  readonly options: Values
  readonly sample: Checked['sample']
  readonly topic: Topic
  readonly schedule: Schedule
  readonly destinations: readonly Destination[]
  /** Empty: after the topic. */
  readonly name: string
  readonly description: string
}

const empty: Draft = {
  plugin: undefined,
  options: {},
  sample: [],
  topic: { name: '', isNew: true, text: '', path: '' },
  schedule: { when: 'always', cron: '0 6 * * *', zone: 'UTC' },
  destinations: [{ plugin: 'streaming-database', options: {} }],
  name: '',
  description: ''
}

function Wizard ({ plugins }: { readonly plugins: readonly Plugin[] }): VNode {
  const { value: draft, begun, set, forget } = useDraft('source', empty)
  const [done, setDone] = useState<{ readonly receipt: Receipt, readonly pipeline: string, readonly scheduled: boolean }>()
  const { plugin, options, sample, topic, schedule, destinations } = draft
  const change = (parts: Partial<Draft>): void => set(before => ({ ...before, ...parts }))
  const right = plugin !== undefined && Object.keys(checkValues(plugin.schema, options)).length === 0
  const ready = right && isReady(topic)
  const onApplied = (receipt: Receipt): void => {
    setDone({ receipt, pipeline: idOf(draft), scheduled: schedule.when !== 'always' })
    forget()
  }
  if (done !== undefined) return html`<${WizardPart} number=${6} title="Done" open><${Applied} receipt=${done.receipt} /><${Arriving} pipeline=${done.pipeline} scheduled=${done.scheduled} /></${WizardPart}>`
  return html`
    ${begun && html`<div class="buttons"><button type="button" class="small" onClick=${() => forget()}>Begin anew</button><span class="faint small">What is filled in here is kept until this tab is closed.</span></div>`}
    <${WizardPart} number=${1} title="Where rows come from" open summary=${plugin?.title}>
      <${PluginCards} label="Sources" plugins=${plugins.filter(({ kind, problem }) => kind === 'input' && problem === undefined)} chosen=${plugin?.name} onChoose=${(next: Plugin) => change({ plugin: next, options: {}, sample: [], schedule: { ...schedule, when: next.bounded ? 'manual' : 'always' } })} />
    </${WizardPart}>
    <${WizardPart} number=${2} title="How it is reached" open=${plugin !== undefined}>
      ${plugin !== undefined && html`<${Reached} key=${plugin.name} plugin=${plugin} options=${options} onChange=${change} />`}
    </${WizardPart}>
    <${WizardPart} number=${3} title="The topic that keeps them" open=${right}>
      <${TopicChoice} topic=${topic} onChange=${(next: Topic) => change({ topic: next })} plugin=${plugin?.name ?? ''} options=${options} sample=${sample} />
    </${WizardPart}>
    <${WizardPart} number=${4} title="When, and where rows go" open=${ready}>
      <${ScheduleChoice} schedule=${schedule} bounded=${plugin?.bounded === true} onChange=${(next: Schedule) => change({ schedule: next })} />
      <${DestinationChoice} plugins=${plugins.filter(({ kind, problem }) => kind === 'output' && problem === undefined)} chosen=${destinations} onChange=${(next: readonly Destination[]) => change({ destinations: next })} />
    </${WizardPart}>
    <${WizardPart} number=${5} title="Name and review" open=${ready}><${Named} draft=${draft} onChange=${change} onApplied=${onApplied} /></${WizardPart}>`
}

/** The options of the source, and the test of its connection once they are right. */
function Reached ({ plugin, options, onChange }: { readonly plugin: Plugin, readonly options: Values, readonly onChange: (parts: Partial<Draft>) => void }): VNode {
  const [tried, setTried] = useState(false)
  const errors = checkValues(plugin.schema, options)
  const right = Object.keys(errors).length === 0
  return html`
    <${OptionsForm} schema=${plugin.schema} values=${options} errors=${tried ? errors : Object.fromEntries(Object.entries(errors).filter(([name]) => options[name] !== undefined))} onChange=${(next: Values) => onChange({ options: next, sample: [] })} />
    ${right
      ? html`<${ConnectionTest} kind="input" plugin=${plugin.name} options=${options} onTested=${(found: Checked) => onChange({ sample: found.sample })} />`
      : html`<div class="buttons"><button type="button" onClick=${() => setTried(true)}>Test the connection</button>${tried && html`<span class="over-text small">Fill in what is marked first.</span>`}</div>`}`
}

function Named ({ draft, onChange, onApplied }: { readonly draft: Draft, readonly onChange: (parts: Partial<Draft>) => void, readonly onApplied: (receipt: Receipt) => void }): VNode {
  const [looked, setLooked] = useState('')
  const id = idOf(draft)
  const complete = idPattern.test(id) && draft.destinations.every(({ problem }) => problem === undefined)
  const change = changeOf(draft)
  const text = JSON.stringify(change)
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  return html`
    <div class="filters">
      <${Labelled} label="Name of the pipeline" hint="Small letters, digits, - and _" error=${idPattern.test(id) ? undefined : 'Small letters, digits, - and _ only.'}>${(control: Control) => html`<input ...${control} autocomplete="off" spellcheck=${false} value=${id} onInput=${(event: Event) => onChange({ name: valueOf(event) })} />`}</${Labelled}>
      <div class="grow"><${Labelled} label="Description" hint="What the pipeline is for">${(control: Control) => html`<input ...${control} maxlength="200" value=${draft.description} onInput=${(event: Event) => onChange({ description: valueOf(event) })} />`}</${Labelled}></div>
    </div>
    <div class="buttons"><button type="button" class=${looked === '' ? 'primary' : ''} disabled=${!complete || looked === text} onClick=${() => setLooked(text)}>Review the change</button>${!complete && html`<span class="over-text small">Fill in what is marked first.</span>`}${looked !== '' && looked !== text && html`<span class="faint small">It was changed since: review it again.</span>`}</div>
    ${looked === text && complete && html`<${Review} key=${text} change=${change} button="Add the source" onApplied=${onApplied} />`}
    <p class="faint small">It is written as files, which <a href=${href(['setup', 'files'])}>Files</a> shows; git stays the truth.</p>`
}

function idOf ({ name, topic }: Draft): string {
  return name === '' ? topic.name.replaceAll('_', '-') : name
}

/** The definition has the order in which people read it. */
function changeOf (draft: Draft): Change {
  const { plugin, options, topic, schedule, destinations, description } = draft
  const definition = {
    ...(description !== '' && { description }),
    ...scheduleOf(schedule),
    input: { [plugin?.name ?? '']: options },
    topic: topic.name,
    transforms: [{ mapping: topic.name }],
    ...(destinations.length > 0 && { outputs: destinations.map(one => ({ [one.plugin]: one.options })) })
  }
  return { ...(topic.isNew && { files: [{ path: topic.path, text: topic.text }] }), pipeline: { id: idOf(draft), definition } }
}
