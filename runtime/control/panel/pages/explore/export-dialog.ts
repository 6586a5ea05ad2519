import { specOf } from './question.ts'
import { Confirm, Dialog } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { Empty, ProblemBox } from '../../parts/problem.ts'
import { say } from '../../parts/toast.ts'
import { post, problemOf } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { go } from '../../kit/route.ts'
import { refresh } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Control } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { Question } from './question.ts'
import type { VNode } from '../../kit/html.ts'

const formats = [['parquet', 'Parquet'], ['csv', 'CSV'], ['arrow', 'Arrow'], ['ndjson', 'NDJSON']] as const

/** Has files made in the background, for what is too large to wait for. */
export function ExportDialog ({ question, onClose }: { readonly question: Question, readonly onClose: () => void }): VNode {
  const [format, setFormat] = useState<string>('parquet')
  const [split, setSplit] = useState('none')
  const [problem, setProblem] = useState<Problem>()
  if (!may('queries:write')) return html`<${Dialog} title="Export" onClose=${onClose}><${Empty} title="Needs the scope queries:write">Smaller answers can be downloaded without it.</${Empty}></${Dialog}>`
  const make = async (): Promise<void> => {
    setProblem(undefined)
    try {
      await post('/v1/exports', { ...specOf(question), format, split })
    } catch (error) {
      setProblem(problemOf(error))
      throw error
    }
    say('The files are being made.')
    await refresh('/v1/exports')
    go(['explore'], { tab: 'exports' })
  }
  const text = (event: Event): string => (event.target as HTMLSelectElement).value
  return html`<${Confirm} title=${`Export ${question.dataset}`} button="Export" onConfirm=${make} onClose=${onClose}>
    <p>The files are made in the background, and stay for a while. Each one has a hash, so that it can be checked.</p>
    <${Labelled} label="Format">${(control: Control) => html`<select ...${control} value=${format} onChange=${(event: Event) => setFormat(text(event))}>${formats.map(([id, title]) => html`<option value=${id}>${title}</option>`)}</select>`}</${Labelled}>
    <${Labelled} label="Files">${(control: Control) => html`<select ...${control} value=${split} onChange=${(event: Event) => setSplit(text(event))}><option value="none">one</option><option value="day">one for each day (UTC)</option></select>`}</${Labelled}>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
  </${Confirm}>`
}
