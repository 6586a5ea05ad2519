// Questions about rows without SQL: chosen by clicks, priced before they run, shown as table and chart, and taken along as
// a file, a snippet, or an address of their own.

import { Builder } from './explore/builder.ts'
import { ExportList } from './explore/export-list.ts'
import { SavedList } from './explore/saved-list.ts'
import { SqlTab } from './explore/sql-tab.ts'
import { Page } from '../parts/page.ts'
import { Tabs, tabOf } from '../parts/tabs.ts'
import { html } from '../kit/html.ts'
import type { PageComponent } from '../pages.ts'

const tabs = [{ id: 'build', title: 'Build' }, { id: 'sql', title: 'SQL' }, { id: 'saved', title: 'Saved' }, { id: 'exports', title: 'Exports' }]

const Explore: PageComponent = () => {
  const tab = tabOf(tabs)
  return html`<${Page} name="Explore" note="Choose what you want to see. The address of this page holds the whole question: share it.">
    <${Tabs} tabs=${tabs} label="Ways to ask" />
    ${tab === 'build' && html`<${Builder} />`}
    ${tab === 'sql' && html`<${SqlTab} />`}
    ${tab === 'saved' && html`<${SavedList} />`}
    ${tab === 'exports' && html`<${ExportList} />`}
  </${Page}>`
}
export default Explore
