import { html } from '../../kit/html.ts'
import { money, percent } from '../../kit/number.ts'
import type { VNode } from '../../kit/html.ts'
import type { CostReport } from './shapes.ts'

/** What is spent and what is expected, against the budget. */
export function Bar ({ costs: { budget, so_far: soFar, forecast, currency, over_budget: over } }: { readonly costs: CostReport }): VNode {
  const end = Math.max(budget, forecast)
  const width = (value: number): { width: string } => ({ width: `${end === 0 ? 0 : Math.min(100, value / end * 100)}%` })
  return html`<div class="budget">
    <div class=${`spend ${over ? 'over' : ''}`} role="img" aria-label=${`${money(soFar, currency)} are spent and ${money(forecast, currency)} expected, of a budget of ${money(budget, currency)}`}><span class="expected" style=${width(forecast)}></span><span class="spent" style=${width(soFar)}></span>${over && html`<span class="limit" style=${{ left: width(budget).width }}></span>`}</div>
    <p class=${over ? 'over-text' : 'faint'}>${over ? `${money(forecast - budget, currency)} above the budget are expected.` : `${percent(budget === 0 ? 0 : forecast / budget)} of the budget are expected to be used.`}</p>
  </div>`
}
