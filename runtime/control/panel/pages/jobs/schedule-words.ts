import { html } from '../../kit/html.ts'
import type { VNode } from '../../kit/html.ts'
import type { Job } from '../../kit/shapes.ts'

/** `At 18:30, Monday through Friday (America/New_York)`; the expression shows where the pointer rests. */
export function ScheduleWords ({ job: { words, zone, schedule, next } }: { readonly job: Job }): VNode {
  return html`<span title=${schedule}>${words}${next.length > 0 && /\d:\d/.test(words) && html` <span class="faint small">${zone}</span>`}</span>`
}
