// The log of every part: searched, or followed as it comes.

import { LogView } from './logs/log-view.ts'
import { Page } from '../parts/page.ts'
import { html } from '../kit/html.ts'
import type { PageComponent } from '../pages.ts'

const Logs: PageComponent = () => html`<${Page} name="Logs" note="What every part said in the last 30 days"><${LogView} /></${Page}>`
export default Logs
