import { Arriving } from './arriving.ts'
import { ConnectionTest, OptionsForm, PluginCards, usePlugins } from './plugins.ts'
import { Applied, Review } from './review.ts'
import { WizardPart } from './wizard-part.ts'
import { Labelled, checkValues } from '../../parts/form.ts'
import { Page } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { useDraft } from '../../kit/draft.ts'
import { html, useState } from '../../kit/html.ts'
import { href, route } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { Change, Plugin, StepEntry } from './shapes.ts'
import type { Control, Values } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'
import type { PipelineStatus, Receipt } from '../../kit/shapes.ts'

/** Another place for the rows of a pipeline that there is. */
export function NewDestination (): VNode {
  const plugins = usePlugins()
  const pipelines = useResource<{ pipelines: readonly PipelineStatus[] }>('/v1/pipelines')
  return html`<${Page} name="Add a destination" crumbs=${[{ title: 'Setup', path: ['setup'] }, { title: 'Destinations', path: ['setup', 'destinations'] }]} note="Nothing is written before the last step.">
    <${Loaded} of=${plugins} lines=${8}>${({ plugins: found }: { plugins: readonly Plugin[] }) => html`<${Loaded} of=${pipelines}>${({ pipelines: all }: { pipelines: readonly PipelineStatus[] }) => all.length === 0
      ? html`<${Empty} title="There is no pipeline yet"><a href=${href(['setup', 'sources', 'new'])}>Add a source first.</a></${Empty}>`
      : html`<${Wizard} plugins=${found.filter(({ kind, problem }) => kind === 'output' && problem === undefined)} pipelines=${all} />`}</${Loaded}>`}</${Loaded}>
  </${Page}>`
}

interface Chosen {
  readonly pipeline: string
  readonly plugin: Plugin | undefined
  readonly options: Values
  /** Empty: the name of the plugin. */
  readonly given: string
}

function Wizard ({ plugins, pipelines }: { readonly plugins: readonly Plugin[], readonly pipelines: readonly PipelineStatus[] }): VNode {
  const asked = route.peek().query['pipeline'] ?? ''
  const { value: { pipeline, plugin, options, given }, set, forget } = useDraft<Chosen>(`destination ${asked}`, { pipeline: asked, plugin: undefined, options: {}, given: '' })
  const change = (parts: Partial<Chosen>): void => set(before => ({ ...before, ...parts }))
  const [looked, setLooked] = useState(0)
  const [done, setDone] = useState<{ readonly receipt: Receipt, readonly pipeline: string }>()
  const destinations = useResource<readonly StepEntry[]>('/v1/destinations')
  const taken = new Set((destinations.data ?? []).filter(one => one.pipeline === pipeline).map(({ name }) => name))
  const name = given === '' ? freeName(plugin?.name ?? '', taken) : given
  const errors = plugin === undefined ? {} : checkValues(plugin.schema, options)
  const right = plugin !== undefined && Object.keys(errors).length === 0 && pipeline !== ''
  const wrongName = taken.has(name) ? `${pipeline} has an output ${name} already.` : /^[a-z0-9][a-z0-9_-]{0,63}$/.test(name) ? undefined : 'Small letters, digits, - and _ only.'
  const wanted = (): Change => ({ output: { pipeline, name, definition: { ...(name !== plugin?.name && { name }), [plugin?.name ?? '']: options } } })
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  const onApplied = (receipt: Receipt): void => {
    setDone({ receipt, pipeline })
    forget()
  }
  if (done !== undefined) return html`<${WizardPart} number=${4} title="Done" open><${Applied} receipt=${done.receipt} /><${Arriving} pipeline=${done.pipeline} scheduled=${false} /></${WizardPart}>`
  return html`
    <${WizardPart} number=${1} title="Whose rows" open>
      <div class="filters"><${Labelled} label="Pipeline">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => change({ pipeline: valueOf(event) })}><option value="" selected=${pipeline === ''}>Choose one</option>${pipelines.map(({ id, topic }) => html`<option value=${id} selected=${id === pipeline}>${id} (topic ${topic})</option>`)}</select>`}</${Labelled}></div>
    </${WizardPart}>
    <${WizardPart} number=${2} title="Where they go" open=${pipeline !== ''}>
      <${PluginCards} label="Destinations" plugins=${plugins} chosen=${plugin?.name} onChoose=${(next: Plugin) => { change({ plugin: next, options: {} }); setLooked(0) }} />
      ${plugin !== undefined && html`<${OptionsForm} key=${plugin.name} schema=${plugin.schema} values=${options} errors=${Object.keys(options).length > 0 ? errors : {}} onChange=${(next: Values) => change({ options: next })} />
        ${right && html`<${ConnectionTest} key=${plugin.name} kind="output" plugin=${plugin.name} options=${options} />`}`}
    </${WizardPart}>
    <${WizardPart} number=${3} title="Name and review" open=${right}>
      <div class="filters"><${Labelled} label="Name of the output" hint="Metrics and logs call it so" error=${wrongName}>${(control: Control) => html`<input ...${control} autocomplete="off" spellcheck=${false} value=${name} onInput=${(event: Event) => change({ given: valueOf(event) })} />`}</${Labelled}></div>
      <div class="buttons"><button type="button" class=${looked === 0 ? 'primary' : ''} disabled=${wrongName !== undefined} onClick=${() => setLooked(looked + 1)}>${looked === 0 ? 'Review the change' : 'Review again'}</button></div>
      ${looked > 0 && wrongName === undefined && html`<${Review} key=${`${looked} ${JSON.stringify(wanted())}`} change=${wanted()} button="Add the destination" onApplied=${onApplied} />`}
    </${WizardPart}>`
}

/** The name of the plugin, or with a number where the pipeline has such an output. */
function freeName (plugin: string, taken: ReadonlySet<string>): string {
  let name = plugin
  for (let i = 2; taken.has(name); i++) name = `${plugin}-${i}`
  return name
}
