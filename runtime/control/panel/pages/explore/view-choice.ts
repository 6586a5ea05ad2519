import { html } from '../../kit/html.ts'
import type { VNode } from '../../kit/html.ts'

/** Table or chart. */
export function ViewChoice ({ drawn, onChange }: { readonly drawn: boolean, readonly onChange: (drawn: boolean) => void }): VNode {
  return html`<div class="segments" role="group" aria-label="How it is shown">
    <button type="button" class="small" aria-pressed=${!drawn} onClick=${() => onChange(false)}>Table</button>
    <button type="button" class="small" aria-pressed=${drawn} onClick=${() => onChange(true)}>Chart</button>
  </div>`
}
