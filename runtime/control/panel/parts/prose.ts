import { html } from '../kit/html.ts'
import type { VNode } from '../kit/html.ts'

/** A text of the platform in which names stand between backticks. */
export function Prose ({ text }: { readonly text: string | undefined }): VNode {
  return html`${text?.split('`').map((part, i) => i % 2 === 0 ? part : html`<code>${part}</code>`)}`
}
