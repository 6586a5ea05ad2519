import { classes, html } from '../../kit/html.ts'
import type { ComponentChildren, VNode } from '../../kit/html.ts'

/** A numbered part of what is filled in from top to bottom; one that is not open yet says only what it will be about. */
export function WizardPart ({ number, title, open = false, summary, children }: { readonly number: number, readonly title: string, readonly open?: boolean, readonly summary?: string | undefined, readonly children: ComponentChildren }): VNode {
  return html`<section class=${classes('section', 'wizard-part', !open && 'waiting')} aria-label=${title}>
    <header><span class="guide-mark">${number}</span><h2>${title}</h2>${summary !== undefined && html`<span class="faint small">${summary}</span>`}</header>
    ${open && html`<div class="section-body">${children}</div>`}
  </section>`
}
