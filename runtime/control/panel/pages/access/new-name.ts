import { Dialog } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { ProblemBox } from '../../parts/problem.ts'
import { problemOf } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import type { Control } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'

const form = /^[a-z0-9][a-z0-9_-]{0,63}$/

/** Asks for the name and the title of something new. `onMake` rejects where it cannot be made. */
export function NewName ({ title, onMake, onClose }: { readonly title: string, readonly onMake: (name: string, title: string) => Promise<void>, readonly onClose: () => void }): VNode {
  const [name, setName] = useState('')
  const [words, setWords] = useState('')
  const [problem, setProblem] = useState<Problem>()
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    try {
      await onMake(name, words)
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  return html`<${Dialog} title=${title} onClose=${onClose}><form onSubmit=${submit}>
    <${Labelled} label="Name" required hint="Small letters, digits, - and _" error=${name === '' || form.test(name) ? undefined : 'Small letters, digits, - and _ only.'}>${(control: Control) => html`<input ...${control} autocomplete="off" spellcheck=${false} value=${name} onInput=${(event: Event) => setName(valueOf(event))} />`}</${Labelled}>
    <${Labelled} label="Title" hint="What it is, for people">${(control: Control) => html`<input ...${control} maxlength="200" value=${words} onInput=${(event: Event) => setWords(valueOf(event))} />`}</${Labelled}>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <div class="buttons end"><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="primary" disabled=${!form.test(name)}>Make it</button></div>
  </form></${Dialog}>`
}
