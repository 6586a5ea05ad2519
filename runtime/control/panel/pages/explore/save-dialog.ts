import { specOf } from './question.ts'
import { Confirm } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { Empty, ProblemBox } from '../../parts/problem.ts'
import { Dialog } from '../../parts/dialog.ts'
import { say } from '../../parts/toast.ts'
import { post, problemOf } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { refresh } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Control } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { Question } from './question.ts'
import type { VNode } from '../../kit/html.ts'

const SLUG = /^[a-z0-9][a-z0-9-]{0,63}$/

/** Gives a question an address of its own. */
export function SaveDialog ({ question, onClose }: { readonly question: Question, readonly onClose: () => void }): VNode {
  const [title, setTitle] = useState('')
  const [slug, setSlug] = useState<string>()
  const [shared, setShared] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  if (!may('queries:write')) return html`<${Dialog} title="Save as an endpoint" onClose=${onClose}><${Empty} title="Needs the scope queries:write">Copy the link to this question instead: it holds all of it.</${Empty}></${Dialog}>`
  const name = slug ?? slugOf(title)
  const valid = SLUG.test(name)
  const save = async (): Promise<void> => {
    setProblem(undefined)
    try {
      await post('/v1/queries', { slug: name, title, spec: specOf(question), shared })
    } catch (error) {
      setProblem(problemOf(error))
      throw error
    }
    say(`Saved: /v1/q/${name}.csv, and the same with .json, .parquet and the others.`)
    await refresh('/v1/queries')
  }
  const text = (event: Event): string => (event.target as HTMLInputElement).value
  return html`<${Confirm} title="Save as an endpoint" button="Save" disabled=${!valid} onConfirm=${save} onClose=${onClose}>
    <${Labelled} label="Title">${(control: Control) => html`<input ...${control} type="text" maxlength="200" autocomplete="off" value=${title} onInput=${(event: Event) => setTitle(text(event))} />`}</${Labelled}>
    <${Labelled} label="Name in its address" required hint=${`/v1/q/${valid ? name : '…'}.csv`} error=${name === '' || valid ? undefined : 'Small letters, digits and hyphens, 64 at most.'}>${(control: Control) => html`<input ...${control} type="text" maxlength="64" autocomplete="off" spellcheck=${false} value=${name} onInput=${(event: Event) => setSlug(text(event))} />`}</${Labelled}>
    <${Labelled} label="Others may see and use it, each with their own rights" inline>${(control: Control) => html`<input ...${control} type="checkbox" checked=${shared} onChange=${(event: Event) => setShared((event.target as HTMLInputElement).checked)} />`}</${Labelled}>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
  </${Confirm}>`
}

function slugOf (title: string): string {
  return title.toLowerCase().normalize('NFKD').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64)
}
