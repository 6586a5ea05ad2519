import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { html } from '../../kit/html.ts'
import { money, percent } from '../../kit/number.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'

const EVERY_MS = 60_000

interface Costs { readonly currency: string, readonly budget: number, readonly month: string, readonly so_far: number, readonly forecast: number }

/** What the month costs so far, and where it will end, against the budget. */
export function Spend (): VNode {
  const costs = useResource<Costs>('/v1/costs', { every: EVERY_MS })
  return html`<${Section} title="Spend" note="this month">
    <${Loaded} of=${costs} lines=${2}>${({ currency, budget, so_far: soFar, forecast }: Costs) => {
      const over = forecast > budget
      const share = (value: number): string => `${Math.min(100, value / Math.max(budget, forecast) * 100)}%`
      return html`<p><strong class="big">${money(soFar, currency)}</strong> <span class="faint">of ${money(budget, currency)}</span></p>
        <div class=${`spend ${over ? 'over' : ''}`} role="img" aria-label=${`${percent(soFar / budget)} of the budget is spent, ${percent(forecast / budget)} are expected`}><span class="expected" style=${{ width: share(forecast) }}></span><span class="spent" style=${{ width: share(soFar) }}></span></div>
        <p class="small ${over ? 'over-text' : 'faint'}">${money(forecast, currency)} expected at the end of the month${over ? `, ${money(forecast - budget, currency)} above the budget` : ''}.</p>`
    }}</${Loaded}>
  </${Section}>`
}
