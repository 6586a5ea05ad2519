// The page of those who are logged in.

import { html, render } from './kit/html.ts'
import { App } from './shell/app.ts'

const root = document.getElementById('root')
if (root !== null) {
  root.textContent = ''
  render(html`<${App} />`, root)
}
