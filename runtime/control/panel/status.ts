// The public page at /status, for people without a login.

import './kit/theme.ts'
import { html, render } from './kit/html.ts'
import { PublicStatus } from './pages/public-status.ts'

const root = document.getElementById('root')
if (root !== null) {
  root.textContent = ''
  render(html`<${PublicStatus} />`, root)
}
