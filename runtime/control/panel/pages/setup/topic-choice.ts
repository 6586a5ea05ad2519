import { Editor } from './editor.ts'
import { Labelled } from '../../parts/form.ts'
import { Icon } from '../../parts/icon.ts'
import { ProblemBox } from '../../parts/problem.ts'
import { post, problemOf } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { useResource } from '../../kit/resource.ts'
import type { Control, Values } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'
import type { Checked, ProjectFile, Proposal } from './shapes.ts'

/** A topic that there is, or one whose schema comes with the change. */
export interface Topic {
  readonly name: string
  readonly isNew: boolean
  /** Of a new one: its schema as YAML. */
  readonly text: string
  readonly path: string
}

const namePattern = /^[a-z_][a-z0-9_-]{0,63}$/

/** Whether a change can be made of it. */
export function isReady ({ name, isNew, text }: Topic): boolean {
  return namePattern.test(name) && (!isNew || text.trim() !== '')
}

interface Props {
  readonly topic: Topic
  readonly onChange: (topic: Topic) => void
  readonly plugin: string
  readonly options: Values
  /** Rows of the source, where its connection was tested. */
  readonly sample: Checked['sample']
}

/** A topic that there is, or a new one with a schema that is proposed from rows and can be edited. */
export function TopicChoice ({ topic, onChange, plugin, options, sample }: Props): VNode {
  const files = useResource<{ files: readonly ProjectFile[] }>('/v1/files')
  const [notes, setNotes] = useState<readonly string[]>([])
  const [problem, setProblem] = useState<Problem>()
  const [busy, setBusy] = useState(false)
  const known = (files.data?.files ?? []).filter(({ kind }) => kind === 'schema').map(({ path }) => path.slice('schemas/'.length, -'.yaml'.length))
  const taken = topic.isNew && known.includes(topic.name)
  const propose = async (): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      const found = await post<Proposal>('/v1/propose', sample.length > 0 ? { topic: topic.name, rows: sample } : { topic: topic.name, input: { plugin, options } })
      setNotes(found.notes)
      onChange({ ...topic, text: found.text, path: found.path })
    } catch (error) {
      setProblem(problemOf(error))
    } finally {
      setBusy(false)
    }
  }
  const rename = (name: string): void => onChange({ name, isNew: true, text: topic.text, path: `schemas/${name}.yaml` })
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  return html`
    <div class="segments text" role="group" aria-label="Topic">
      <button type="button" aria-pressed=${topic.isNew} onClick=${() => rename('')}>A new topic</button>
      <button type="button" aria-pressed=${!topic.isNew} disabled=${known.length === 0} onClick=${() => onChange({ ...topic, name: known[0] ?? '', isNew: false })}>One that there is</button>
    </div>
    ${topic.isNew
      ? html`<div class="filters top">
          <${Labelled} label="Name of the topic" hint="It is the name of the dataset, too" error=${taken ? `There is a topic ${topic.name} already.` : topic.name === '' || namePattern.test(topic.name) ? undefined : 'Small letters, digits, - and _ only.'}>${(control: Control) => html`<input ...${control} autocomplete="off" spellcheck=${false} placeholder="ticks" value=${topic.name} onInput=${(event: Event) => rename(valueOf(event))} />`}</${Labelled}>
          <button type="button" disabled=${busy || taken || !namePattern.test(topic.name)} onClick=${propose}><${Icon} name="play" size=${12} />${busy ? 'Looking at rows…' : topic.text === '' ? 'Propose a schema' : 'Propose again'}</button>
        </div>`
      : html`<div class="filters"><${Labelled} label="Topic" hint="Rows have to fit its schema">${(control: Control) => html`<select ...${control} onChange=${(event: Event) => onChange({ ...topic, name: valueOf(event) })}>${known.map(name => html`<option value=${name} selected=${name === topic.name}>${name}</option>`)}</select>`}</${Labelled}></div>`}
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    ${topic.isNew && topic.text !== '' && html`
      ${notes.length > 0 && html`<ul class="notes small">${notes.map(note => html`<li>${note}</li>`)}</ul>`}
      <p class="faint small">Say what each field means: whoever reads the data sees it. Types and units are checked in the review.</p>
      <${Editor} label=${`The schema ${topic.path}`} text=${topic.text} onInput=${(text: string) => onChange({ ...topic, text })} />`}`
}
