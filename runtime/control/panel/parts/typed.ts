// A field whose text belongs to who types until the field is left: something else that is loaded meanwhile, and draws the
// page again, does not put back what was there before.

import { html, useState } from '../kit/html.ts'
import type { VNode } from '../kit/html.ts'

interface TypedProps {
  readonly value: string
  /** Called when the field is left, or by Enter. */
  readonly onChange: (value: string) => void
  /** Further attributes of the input. */
  readonly [attribute: string]: unknown
}

export function Typed ({ value, onChange, ...attributes }: TypedProps): VNode {
  const [typed, setTyped] = useState<string | undefined>(undefined)
  const textOf = (event: Event): string => (event.target as HTMLInputElement).value
  const leave = (event: Event): void => {
    setTyped(undefined)
    onChange(textOf(event))
  }
  return html`<input ...${attributes} value=${typed ?? value} onInput=${(event: Event) => setTyped(textOf(event))} onChange=${leave} />`
}
