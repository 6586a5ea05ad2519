// Who is told what: alerts that fire now, rules, silences, and the places that messages go to.

import { Editor } from './editor.ts'
import { Dialog } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Loaded, ProblemBox } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { act, say } from '../../parts/toast.ts'
import { post, problemOf, put, remove } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { plural, seconds } from '../../kit/number.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { FileProblem } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 4000

interface Alert { readonly rule: string, readonly subject: string, readonly state: 'pending' | 'firing', readonly severity: string, readonly cause: string, readonly remedy: string, readonly since: string, readonly silenced: boolean, readonly datasets: readonly string[] }
interface Silence { readonly id: string, readonly matches: string, readonly until: string, readonly by: string, readonly reason: string }
interface Destination { readonly name: string, readonly kind: string, readonly waiting: number, readonly error: string }
interface Found { readonly alerts: readonly Alert[], readonly silences: readonly Silence[], readonly destinations: readonly Destination[] }
interface Rule { readonly name: string, readonly about: string, readonly severity: string, readonly for_seconds: number, readonly repeat_seconds: number | null, readonly during: string, readonly to: readonly string[] }
interface RuleFile { readonly path: string, readonly text: string, readonly rules: readonly Rule[] }

export function Alerts (): VNode {
  const alerts = useResource<Found>('/v1/alerts', { every: EVERY_MS })
  const [silencing, setSilencing] = useState<string>()
  return html`<${Loaded} of=${alerts} lines=${6}>${({ alerts: now, silences, destinations }: Found) => html`
    <${Section} title="Now" actions=${may('alerts:write') ? html`<button type="button" class="small" onClick=${() => setSilencing('')}><${Icon} name="pause" size=${12} />Silence…</button>` : html`<span class="faint small"><${Icon} name="lock" size=${12} /> changes need alerts:write</span>`}>
      <${Table} label="Alerts" rows=${now} keyOf=${({ rule, subject }: Alert) => `${rule} ${subject}`} empty=${{ title: 'Nothing fires', text: 'What the rules find comes here, and to whom they name.' }}
        detail=${({ cause, remedy, datasets }: Alert) => html`<p>${cause}</p><p class="faint">${remedy}</p>${datasets.length > 0 && html`<p class="faint small">Touches ${datasets.join(', ')}.</p>`}`} columns=${[
          { id: 'state', title: 'State', value: ({ state }: Alert) => state, cell: ({ state, severity, silenced }: Alert) => silenced ? html`<${Mark} state="silenced" />` : html`<${Mark} level=${state === 'pending' ? 'busy' : severity === 'error' ? 'bad' : 'warn'} word=${state} />` },
          { id: 'subject', title: 'About', value: ({ subject }: Alert) => subject },
          { id: 'cause', title: 'Cause', grow: true, wide: true, cell: ({ cause }: Alert) => html`<span class="faint">${cause}</span>` },
          { id: 'since', title: 'Since', value: ({ since }: Alert) => since, cell: ({ since }: Alert) => html`<${Time} at=${since} />` },
          { id: 'do', title: '', cell: ({ subject, silenced }: Alert) => may('alerts:write') && !silenced && html`<button type="button" class="small" aria-label=${`Silence ${subject}`} onClick=${() => setSilencing(subject)}>Silence</button>` }
        ]} />
    </${Section}>
    <${Section} title="Destinations" note="who is told">
      <${Table} label="Destinations of alerts" rows=${destinations} keyOf=${({ name }: Destination) => name} empty=${{ title: 'Nobody is told', text: 'Destinations stand in the file below: a webhook, Slack or e-mail, with secrets as names of variables.' }} columns=${[
        { id: 'name', title: 'Name', value: ({ name }: Destination) => name },
        { id: 'kind', title: 'By', value: ({ kind }: Destination) => kind },
        { id: 'waiting', title: 'State', grow: true, cell: ({ waiting, error }: Destination) => waiting === 0 ? html`<${Mark} state="ok" word="nothing waits" />` : html`<${Mark} state="behind" word=${`${plural(waiting, 'message')} wait`} /> <span class="faint">${error}</span>` },
        { id: 'do', title: '', cell: ({ name }: Destination) => may('alerts:write') && html`<button type="button" class="small" aria-label=${`Test ${name}`} onClick=${() => act(() => post(`/v1/alerts/destinations/${name}/test`), `${name} took a message that says it is a test.`)}>Test</button>` }
      ]} />
    </${Section}>
    ${silences.length > 0 && html`<${Section} title="Silences"><${Table} label="Silences" rows=${silences} keyOf=${({ id }: Silence) => id} columns=${[
      { id: 'matches', title: 'Of', value: ({ matches }: Silence) => matches, cell: ({ matches }: Silence) => html`<code>${matches}</code>` },
      { id: 'until', title: 'Until', value: ({ until }: Silence) => until, cell: ({ until }: Silence) => html`<${Time} at=${until} as="both" />` },
      { id: 'by', title: 'By', wide: true, value: ({ by }: Silence) => by },
      { id: 'reason', title: 'Why', grow: true, wide: true, cell: ({ reason }: Silence) => reason },
      { id: 'do', title: '', cell: ({ id, matches }: Silence) => may('alerts:write') && html`<button type="button" class="small" aria-label=${`End the silence of ${matches}`} onClick=${() => act(async () => { await remove(`/v1/alerts/silences/${id}`); await refresh('/v1/alerts') }, 'The silence has ended.')}>End</button>` }
    ]} /></${Section}>`}
    <${Rules} />
    ${silencing !== undefined && html`<${NewSilence} about=${silencing} onClose=${() => setSilencing(undefined)} />`}`}</${Loaded}>`
}

function Rules (): VNode {
  const file = useResource<RuleFile>('/v1/alerts/rules')
  return html`<${Loaded} of=${file}>${(found: RuleFile) => html`
    <${Section} title="Rules"><${Table} label="Rules of alerts" rows=${found.rules} keyOf=${({ name }: Rule) => name} empty=${{ title: 'There are no rules' }} columns=${[
      { id: 'name', title: 'Rule', value: ({ name }: Rule) => name },
      { id: 'about', title: 'About', cell: ({ about }: Rule) => about === '*' ? 'all problems' : html`<code>${about}</code>` },
      { id: 'severity', title: 'Severity', wide: true, value: ({ severity }: Rule) => severity },
      { id: 'for', title: 'After', wide: true, right: true, cell: ({ for_seconds: after }: Rule) => seconds(after) },
      { id: 'repeat', title: 'Again each', wide: true, right: true, cell: ({ repeat_seconds: repeat }: Rule) => repeat === null ? 'never' : seconds(repeat) },
      { id: 'during', title: 'During', wide: true, cell: ({ during }: Rule) => during === '' ? html`<span class="faint">always</span>` : during },
      { id: 'to', title: 'Tells', grow: true, cell: ({ to }: Rule) => to.length === 0 ? html`<span class="faint">nobody: it is shown here only</span>` : to.join(', ') }
    ]} /></${Section}>
    <${RuleText} key=${found.text} file=${found} />`}</${Loaded}>`
}

function RuleText ({ file: { path, text: before } }: { readonly file: RuleFile }): VNode {
  const [text, setText] = useState(before)
  const [problem, setProblem] = useState<Problem>()
  const write = async (): Promise<void> => {
    setProblem(undefined)
    try {
      await put('/v1/alerts/rules', { text })
      say('The rules hold now.')
      await refresh('/v1/alerts')
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  const problems = (problem?.problems ?? []).map(({ line = 0, message, path = '' }) => ({ file: '', line, column: 0, path, message })) satisfies FileProblem[]
  return html`<${Section} title=${path} note="rules hold as soon as they are written; destinations are changed in the file by an admin">
    <${Editor} label=${path} text=${text} problems=${problems} readOnly=${!may('alerts:write')} onInput=${setText} />
    ${problem !== undefined && problems.length === 0 && html`<${ProblemBox} problem=${problem} compact />`}
    ${may('alerts:write') && html`<div class="buttons"><button type="button" class="primary" disabled=${text === before} onClick=${write}>Write the rules</button><button type="button" disabled=${text === before} onClick=${() => { setText(before); setProblem(undefined) }}>Undo</button></div>`}
  </${Section}>`
}

function NewSilence ({ about, onClose }: { readonly about: string, readonly onClose: () => void }): VNode {
  const [matches, setMatches] = useState(about)
  const [hours, setHours] = useState('1')
  const [reason, setReason] = useState('')
  const [problem, setProblem] = useState<Problem>()
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    try {
      await post('/v1/alerts/silences', { matches, hours: Number(hours), reason })
      await refresh('/v1/alerts')
      say(`Nobody is told of ${matches} for ${plural(Number(hours), 'hour')}.`)
      onClose()
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  return html`<${Dialog} title="Silence" onClose=${onClose}><form onSubmit=${submit}>
    <p class="faint">Nobody is told for a while. It is shown here all the same.</p>
    <${Labelled} label="Of" required hint="A rule, or what it is about; * stands for any text">${(control: Control) => html`<input ...${control} value=${matches} onInput=${(event: Event) => setMatches(valueOf(event))} />`}</${Labelled}>
    <${Labelled} label="Hours" required>${(control: Control) => html`<input ...${control} type="number" min="0.1" max="720" step="any" value=${hours} onInput=${(event: Event) => setHours(valueOf(event))} />`}</${Labelled}>
    <${Labelled} label="Why">${(control: Control) => html`<input ...${control} maxlength="500" value=${reason} onInput=${(event: Event) => setReason(valueOf(event))} />`}</${Labelled}>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <div class="buttons end"><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="primary">Silence</button></div>
  </form></${Dialog}>`
}
