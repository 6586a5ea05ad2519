// Costs: what the month costs so far, where it will end, what takes it, and what another realtime_period would add.

import { DatasetCosts, PartCosts, Sent, WhatIf } from './costs/tables.ts'
import { Bar } from './costs/bar.ts'
import { Mark } from '../parts/mark.ts'
import { Facts, Page, Section } from '../parts/page.ts'
import { Loaded } from '../parts/problem.ts'
import { Tabs, tabOf } from '../parts/tabs.ts'
import { Time } from '../parts/time.ts'
import { html } from '../kit/html.ts'
import { money } from '../kit/number.ts'
import { href } from '../kit/route.ts'
import { useResource } from '../kit/resource.ts'
import type { PageComponent } from '../pages.ts'
import type { CostReport } from './costs/shapes.ts'

const EVERY_MS = 30_000

const Costs: PageComponent = () => {
  const costs = useResource<CostReport>('/v1/costs', { every: EVERY_MS })
  const { data } = costs
  const tabs = [{ id: 'parts', title: 'Parts', note: data?.parts.length }, { id: 'datasets', title: 'Datasets', note: data?.datasets.length }, { id: 'what-if', title: 'What if' }, { id: 'sent', title: 'Sent' }]
  const tab = tabOf(tabs)
  return html`<${Page} name="Costs" note=${data && `${data.month}, prices of ${data.provider}, looked up in ${data.prices_of}`} mark=${data && html`<${Mark} level=${data.over_budget ? 'bad' : 'ok'} word=${data.over_budget ? 'above the budget' : 'within the budget'} />`}>
    <${Loaded} of=${costs} lines=${8}>${(found: CostReport) => html`
      <${Section} title="This month">
        <${Bar} costs=${found} />
        <${Facts} facts=${[
          ['So far', money(found.so_far, found.currency)],
          ['Expected at its end', money(found.forecast, found.currency)],
          ['Budget', money(found.budget, found.currency)],
          ['Measured since', html`<${Time} at=${found.since} as="both" />`]
        ]} />
        <p class="faint small">Prices and the budget stand in <a href=${href(['setup', 'files'], { file: 'config/cost.yaml' })}>config/cost.yaml</a>. The forecast goes on as the last seven days did.</p>
      </${Section}>
      <${Tabs} tabs=${tabs} label="What the costs are made of" />
      ${tab === 'parts' && html`<${PartCosts} costs=${found} />`}
      ${tab === 'datasets' && html`<${DatasetCosts} costs=${found} />`}
      ${tab === 'what-if' && html`<${WhatIf} costs=${found} />`}
      ${tab === 'sent' && html`<${Sent} costs=${found} />`}`}</${Loaded}>
  </${Page}>`
}
export default Costs
