import { local, msOf, now, relative, shortUtc, utc } from '../kit/clock.ts'
import { html } from '../kit/html.ts'
import type { VNode } from '../kit/html.ts'

/**
 * A moment: `relative` (12 s ago), `clock` (UTC, with its day unless that is today), or `both`. The time of this machine
 * shows where the pointer rests.
 */
export function Time ({ at, as = 'relative' }: { readonly at: number | string | null | undefined, readonly as?: 'relative' | 'clock' | 'both' }): VNode {
  const ms = msOf(at)
  if (ms === undefined) return html`<span class="faint">never</span>`
  const clock = `${shortUtc(ms)} UTC`
  const text = as === 'clock' ? clock : as === 'relative' ? relative(ms, now.value) : `${clock} · ${relative(ms, now.value)}`
  return html`<time datetime=${new Date(ms).toISOString()} title=${`${utc(ms)} UTC\n${local(ms)}`}>${text}</time>`
}
