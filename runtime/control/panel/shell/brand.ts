import { html } from '../kit/html.ts'
import type { VNode } from '../kit/html.ts'

export function Brand (): VNode {
  return html`<span class="brand"><svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true"><rect width="32" height="32" rx="7" class="brand-ground" /><path d="M6 12h13M6 20h20" class="brand-lane" /><circle cx="24.5" cy="12" r="2.5" class="brand-dot" /></svg>Twolane</span>`
}
