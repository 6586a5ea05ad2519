// The reference: every call of the API as the platform describes it, the catalogue of errors, and the fields of all data.

import { Endpoints } from './docs/endpoints.ts'
import { Errors } from './docs/errors.ts'
import { Fields } from './docs/fields.ts'
import { Page } from '../parts/page.ts'
import { Tabs, tabOf } from '../parts/tabs.ts'
import { html } from '../kit/html.ts'
import type { PageComponent } from '../pages.ts'

const tabs = [{ id: 'api', title: 'API' }, { id: 'errors', title: 'Errors' }, { id: 'fields', title: 'Fields' }]

const Docs: PageComponent = () => {
  const tab = tabOf(tabs)
  return html`<${Page} name="Docs" note=${html`Made from what the platform checks requests with. For programs: <a href="/openapi.json">openapi.json</a>`}>
    <${Tabs} tabs=${tabs} label="Parts of the reference" />
    ${tab === 'api' && html`<${Endpoints} />`}
    ${tab === 'errors' && html`<${Errors} />`}
    ${tab === 'fields' && html`<${Fields} />`}
  </${Page}>`
}
export default Docs
