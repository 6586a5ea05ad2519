// "Is the data healthy and complete?" in one sentence, and what it rests on.

import { BoundaryStrip } from './home/boundary-strip.ts'
import { Freshness } from './home/freshness.ts'
import { Timeline } from './home/timeline.ts'
import { Changes } from './home/changes.ts'
import { Problems, Verdict } from './home/verdict.ts'
import { Spend } from './home/spend.ts'
import { Page } from '../parts/page.ts'
import { html } from '../kit/html.ts'
import type { VNode } from '../kit/html.ts'

export default function Home (): VNode {
  return html`<${Page} name="Home">
    <${Verdict} />
    <${Problems} />
    <div class="columns home-columns">
      <${Freshness} />
      <${BoundaryStrip} />
    </div>
    <${Timeline} />
    <div class="columns home-columns">
      <${Changes} />
      <${Spend} />
    </div>
  </${Page}>`
}
