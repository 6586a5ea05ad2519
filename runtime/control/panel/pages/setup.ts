// Setup: what the platform is made of, and every way to change it. Whoever may not change it sees how it is.

import { Alerts } from './setup/alerts.ts'
import { Backup } from './setup/backup.ts'
import { EditStep } from './setup/edit-step.ts'
import { Files } from './setup/files.ts'
import { Guide } from './setup/guide.ts'
import { NewDestination } from './setup/new-destination.ts'
import { NewSource } from './setup/new-source.ts'
import { PlatformTests } from './setup/platform-tests.ts'
import { Revisions } from './setup/revisions.ts'
import { Steps } from './setup/steps.ts'
import { Teardown } from './setup/teardown.ts'
import { Icon } from '../parts/icon.ts'
import { Page } from '../parts/page.ts'
import { classes, html } from '../kit/html.ts'
import { href } from '../kit/route.ts'
import { may } from '../kit/session.ts'
import type { PageComponent } from '../pages.ts'
import type { ComponentChildren, VNode } from '../kit/html.ts'

const places = [
  { id: 'guide', title: 'First steps' },
  { id: 'sources', title: 'Sources' },
  { id: 'destinations', title: 'Destinations' },
  { id: 'files', title: 'Files' },
  { id: 'tests', title: 'Tests' },
  { id: 'backup', title: 'Backup' },
  { id: 'alerts', title: 'Alerts' },
  { id: 'revisions', title: 'Revisions' }
]

const Setup: PageComponent = ({ path: [place = 'guide', name, step] }) => {
  if (place === 'teardown' && name !== undefined && step !== undefined) return html`<${Teardown} key=${`${name} ${step}`} kind=${name} name=${step} />`
  if ((place === 'sources' || place === 'destinations') && name !== undefined) {
    const kind = place === 'sources' ? 'input' : 'output'
    if (!may('pipelines:write')) return html`<${Page} name="Setup"><p class="notice"><${Icon} name="lock" size=${12} /> Changes of sources and destinations need the scope pipelines:write.</p></${Page}>`
    if (name === 'new') return kind === 'input' ? html`<${NewSource} />` : html`<${NewDestination} />`
    return html`<${EditStep} key=${`${name} ${step}`} kind=${kind} pipeline=${name} step=${step ?? ''} />`
  }
  const current = places.find(({ id }) => id === place) ?? places[0]
  return html`<${Page} name="Setup" actions=${html`<${Actions} />`}>
    <nav class="tabs" aria-label="Parts of setup">${places.map(({ id, title }) => html`<a href=${href(id === 'guide' ? ['setup'] : ['setup', id])} class=${classes(id === current?.id && 'current')} aria-current=${id === current?.id ? 'true' : undefined}>${title}</a>`)}</nav>
    ${bodyOf(current?.id ?? 'guide')}
  </${Page}>`
}
export default Setup

function Actions (): VNode {
  if (!may('pipelines:write')) return html`<span class="faint small"><${Icon} name="lock" size=${12} /> Changes need the scope pipelines:write</span>`
  return html`<a class="button" href=${href(['setup', 'destinations', 'new'])}><${Icon} name="plus" />Add a destination</a><a class="button primary" href=${href(['setup', 'sources', 'new'])}><${Icon} name="plus" />Add a source</a>`
}

function bodyOf (place: string): ComponentChildren {
  switch (place) {
    case 'sources': return html`<${Steps} kind="input" />`
    case 'destinations': return html`<${Steps} kind="output" />`
    case 'files': return html`<${Files} />`
    case 'tests': return html`<${PlatformTests} />`
    case 'backup': return html`<${Backup} />`
    case 'alerts': return html`<${Alerts} />`
    case 'revisions': return html`<${Revisions} />`
    default: return html`<${Guide} />`
  }
}
