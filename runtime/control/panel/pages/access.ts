// Access: who there is, what they may do and why, and who did what. My account is for everybody.

import { Account } from './access/account.ts'
import { AuditLog } from './access/audit-log.ts'
import { Review } from './access/review.ts'
import { RolePage } from './access/role.ts'
import { Roles } from './access/roles.ts'
import { TeamPage } from './access/team.ts'
import { Teams } from './access/teams.ts'
import { Tokens } from './access/tokens.ts'
import { UserPage } from './access/user.ts'
import { Users } from './access/users.ts'
import { Why } from './access/why.ts'
import { Icon } from '../parts/icon.ts'
import { Page } from '../parts/page.ts'
import { Empty } from '../parts/problem.ts'
import { classes, html } from '../kit/html.ts'
import { href } from '../kit/route.ts'
import { may } from '../kit/session.ts'
import type { PageComponent } from '../pages.ts'
import type { ComponentChildren } from '../kit/html.ts'

const places: ReadonlyArray<{ readonly id: string, readonly title: string, readonly scope?: string }> = [
  { id: 'me', title: 'My account' },
  { id: 'users', title: 'Users', scope: 'access:read' },
  { id: 'teams', title: 'Teams', scope: 'access:read' },
  { id: 'roles', title: 'Roles', scope: 'access:read' },
  { id: 'tokens', title: 'Tokens', scope: 'access:read' },
  { id: 'why', title: 'Why can I (not)?' },
  { id: 'audit', title: 'Audit log', scope: 'audit:read' },
  { id: 'review', title: 'Review', scope: 'access:read' }
]

const Access: PageComponent = ({ path: [asked, name] }) => {
  const place = asked ?? (may('access:read') ? 'users' : 'me')
  if (name !== undefined && may('access:read')) {
    if (place === 'users') return html`<${UserPage} key=${name} user=${name} />`
    if (place === 'teams') return html`<${TeamPage} key=${name} team=${name} />`
    if (place === 'roles') return html`<${RolePage} key=${name} role=${name} />`
  }
  const current = places.find(({ id }) => id === place) ?? places[0]
  return html`<${Page} name="Access">
    <nav class="tabs" aria-label="Parts of access">${places.map(({ id, title, scope }) => html`<a href=${href(['access', id])} class=${classes(id === current?.id && 'current')} aria-current=${id === current?.id ? 'true' : undefined} title=${may(scope) ? undefined : `Needs the scope ${scope}`}>${title}${!may(scope) && html`<${Icon} name="lock" size=${12} /><span class="hidden">, needs the scope ${scope}</span>`}</a>`)}</nav>
    ${may(current?.scope) ? bodyOf(current?.id ?? 'me') : html`<${Empty} title=${`${current?.title} needs the scope ${current?.scope}`}>An admin can give you a role that has it. <a href=${href(['access', 'why'])}>What you may do, and why</a></${Empty}>`}
  </${Page}>`
}
export default Access

function bodyOf (place: string): ComponentChildren {
  switch (place) {
    case 'users': return html`<${Users} />`
    case 'teams': return html`<${Teams} />`
    case 'roles': return html`<${Roles} />`
    case 'tokens': return html`<${Tokens} />`
    case 'why': return html`<${Why} />`
    case 'audit': return html`<${AuditLog} />`
    case 'review': return html`<${Review} />`
    default: return html`<${Account} />`
  }
}
