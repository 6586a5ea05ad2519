import { Labelled } from '../../parts/form.ts'
import { CopyButton } from '../../parts/menu.ts'
import { html, useState } from '../../kit/html.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

/** The platform refuses shorter ones, and those that are known or easily guessed. */
const LENGTH_MIN = 8
const MADE_BYTES = 18

export function passwordReady (password: string): boolean {
  return password.length >= LENGTH_MIN
}

/** A password that is typed, or made here. */
export function NewPassword ({ label, value, onChange, hint }: { readonly label: string, readonly value: string, readonly onChange: (value: string) => void, readonly hint?: string }): VNode {
  const [shown, setShown] = useState(false)
  const make = (): void => {
    const bytes = crypto.getRandomValues(new Uint8Array(MADE_BYTES))
    onChange(btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_'))
    setShown(true)
  }
  return html`<div class="password">
    <${Labelled} label=${label} hint=${hint ?? `${LENGTH_MIN} characters at least; a sentence is good`} error=${value === '' || passwordReady(value) ? undefined : `${LENGTH_MIN} characters at least.`}>${(control: Control) => html`<input ...${control} type=${shown ? 'text' : 'password'} autocomplete="new-password" spellcheck=${false} value=${value} onInput=${(event: Event) => onChange((event.target as HTMLInputElement).value)} />`}</${Labelled}>
    <div class="buttons"><button type="button" class="small" onClick=${make}>Make one</button><button type="button" class="small" aria-pressed=${shown} onClick=${() => setShown(!shown)}>${shown ? 'Hide' : 'Show'}</button>${shown && value !== '' && html`<${CopyButton} text=${value} what="the password" />`}</div>
  </div>`
}
