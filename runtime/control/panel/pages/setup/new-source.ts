// A new source, from the plugin to the first rows: one page whose parts open one after the other, so that each can be
// looked at again.

import { topicStep } from './topic-step.ts'
import { DestinationChoice } from './destination-choice.ts'
import { ConnectionTest, OptionsForm, PluginCards, usePlugins } from './plugins.ts'
import { Applied, Review } from './review.ts'
import { ScheduleChoice, scheduleOf } from './schedule-choice.ts'
import { WizardPart } from './wizard-part.ts'
import { Arriving } from './arriving.ts'
import { Labelled, checkValues } from '../../parts/form.ts'
import { Page } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { html, useState } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import type { Destination } from './destination-choice.ts'
import type { Schedule } from './schedule-choice.ts'
import type { Topic } from './topic-step.ts'
import type { Change, Checked, Options, Plugin } from './shapes.ts'
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

const { TopicChoice, isReady } = topicStep

function Wizard ({ plugins }: { readonly plugins: readonly Plugin[] }): VNode {
  const [plugin, setPlugin] = useState<Plugin>()
  const [options, setOptions] = useState<Values>({})
  const [tried, setTried] = useState(false)
  const [checked, setChecked] = useState<Checked>()
  const [topic, setTopic] = useState<Topic>({ name: '', isNew: true, text: '', path: '' })
  const [schedule, setSchedule] = useState<Schedule>({ when: 'always', cron: '0 6 * * *', timezone: 'UTC' })
  const [destinations, setDestinations] = useState<readonly Destination[]>([{ plugin: 'streaming-database', options: {} }])
  const [name, setName] = useState<{ id: string, description: string }>({ id: '', description: '' })
  const [looked, setLooked] = useState(0)
  const [receipt, setReceipt] = useState<Receipt>()
  const errors = plugin === undefined ? {} : checkValues(plugin.schema, options)
  const right = plugin !== undefined && Object.keys(errors).length === 0
  const id = name.id === '' ? topic.name.replaceAll('_', '-') : name.id
  const choose = (next: Plugin): void => {
    setPlugin(next)
    setOptions({})
    setTried(false)
    setChecked(undefined)
    setSchedule({ ...schedule, when: next.bounded ? 'manual' : 'always' })
  }
  const named = right && isReady(topic)
  const complete = named && idPattern.test(id) && destinations.every(({ problem }) => problem === undefined)
  const change = (): Change => ({
    ...(topic.isNew && { files: [{ path: topic.path, text: topic.text }] }),
    pipeline: { id, definition: definitionOf({ plugin: plugin?.name ?? '', options, topic, schedule, destinations, description: name.description }) }
  })
  if (receipt !== undefined) return html`<${WizardPart} number=${6} title="Done" open><${Applied} receipt=${receipt} /><${Arriving} pipeline=${id} scheduled=${schedule.when !== 'always'} /></${WizardPart}>`
  return html`
    <${WizardPart} number=${1} title="Where rows come from" open summary=${plugin?.title}>
      <${PluginCards} label="Sources" plugins=${plugins.filter(({ kind, problem }) => kind === 'input' && problem === undefined)} chosen=${plugin?.name} onChoose=${choose} />
    </${WizardPart}>
    <${WizardPart} number=${2} title="How it is reached" open=${plugin !== undefined}>
      ${plugin !== undefined && html`<${OptionsForm} key=${plugin.name} schema=${plugin.schema} values=${options} errors=${tried ? errors : {}} onChange=${setOptions} />
        ${right ? html`<${ConnectionTest} key=${plugin.name} kind="input" plugin=${plugin.name} options=${options} onTested=${setChecked} />` : html`<div class="buttons"><button type="button" onClick=${() => setTried(true)}>Test the connection</button>${tried && html`<span class="over-text small">Fill in what is marked first.</span>`}</div>`}`}
    </${WizardPart}>
    <${WizardPart} number=${3} title="The topic that keeps them" open=${right}>
      ${plugin !== undefined && html`<${TopicChoice} topic=${topic} onChange=${setTopic} plugin=${plugin.name} options=${options} sample=${checked?.sample ?? []} />`}
    </${WizardPart}>
    <${WizardPart} number=${4} title="When, and where rows go" open=${named}>
      <${ScheduleChoice} schedule=${schedule} bounded=${plugin?.bounded === true} onChange=${setSchedule} />
      <${DestinationChoice} plugins=${plugins.filter(({ kind, problem }) => kind === 'output' && problem === undefined)} chosen=${destinations} onChange=${setDestinations} />
    </${WizardPart}>
    <${WizardPart} number=${5} title="Name and review" open=${named}>
      <div class="filters">
        <${Labelled} label="Name of the pipeline" hint="Small letters, digits, - and _" error=${id === '' || idPattern.test(id) ? undefined : 'Small letters, digits, - and _ only.'}>${(control: Control) => html`<input ...${control} autocomplete="off" spellcheck=${false} value=${id} onInput=${(event: Event) => setName({ ...name, id: valueOf(event) })} />`}</${Labelled}>
        <div class="grow"><${Labelled} label="Description" hint="What the pipeline is for">${(control: Control) => html`<input ...${control} maxlength="200" value=${name.description} onInput=${(event: Event) => setName({ ...name, description: valueOf(event) })} />`}</${Labelled}></div>
      </div>
      <div class="buttons"><button type="button" class=${looked === 0 ? 'primary' : ''} disabled=${!complete} onClick=${() => setLooked(looked + 1)}>${looked === 0 ? 'Review the change' : 'Review again'}</button></div>
      ${looked > 0 && complete && html`<${Review} key=${`${looked} ${JSON.stringify(change())}`} change=${change()} button="Add the source" onApplied=${setReceipt} />`}
      <p class="faint small">Files are written as in <a href=${href(['setup', 'files'])}>Files</a>; git stays the truth.</p>
    </${WizardPart}>`
}

interface Drawn { readonly plugin: string, readonly options: Values, readonly topic: Topic, readonly schedule: Schedule, readonly destinations: readonly Destination[], readonly description: string }

/** The definition in the order in which people read it. */
function definitionOf ({ plugin, options, topic, schedule, destinations, description }: Drawn): Options {
  return {
    ...(description !== '' && { description }),
    ...scheduleOf(schedule),
    input: { [plugin]: options },
    topic: topic.name,
    transforms: [{ mapping: topic.name }],
    outputs: destinations.map(one => ({ [one.plugin]: one.options }))
  }
}

function valueOf (event: Event): string {
  return (event.target as HTMLInputElement).value
}
