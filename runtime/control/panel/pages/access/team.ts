import { Checks } from './checks.ts'
import { GrantsEditor, grantsReady } from './grants.ts'
import { SaveBar } from './save-bar.ts'
import { Confirm } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { Page, Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { act } from '../../parts/toast.ts'
import { put, remove } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { plural } from '../../kit/number.ts'
import { go } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Grant, Role, Team, User } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

export function TeamPage ({ team: name }: { readonly team: string }): VNode {
  const teams = useResource<{ teams: readonly Team[] }>('/v1/teams')
  const [asks, setAsks] = useState(false)
  const team = teams.data?.teams.find(one => one.team === name)
  const leave = async (): Promise<void> => {
    if (!await act(() => remove(`/v1/teams/${name}`), `The team ${name} is gone.`)) throw new Error('It was refused')
    await refresh('/v1/teams')
    go(['access', 'teams'])
  }
  return html`<${Page} name=${name} note=${team && `Team of ${plural(team.members.length, 'member')}`} crumbs=${[{ title: 'Access', path: ['access'] }, { title: 'Teams', path: ['access', 'teams'] }]} actions=${team && may('access:write') && html`<button type="button" class="danger" onClick=${() => setAsks(true)}>Remove</button>`}>
    <${Loaded} of=${teams} lines=${6}>${() => team === undefined ? html`<${Empty} title=${`There is no team ${name}`} />` : html`<${Edit} key=${JSON.stringify(team)} team=${team} />`}</${Loaded}>
    ${asks && html`<${Confirm} title=${`Remove the team ${name}?`} name=${name} button="Remove" danger onConfirm=${leave} onClose=${() => setAsks(false)}><p>Its members stay, without what they had through it.</p></${Confirm}>`}
  </${Page}>`
}

interface Draft { readonly title: string, readonly roles: readonly string[], readonly grants: readonly Grant[], readonly members: readonly string[] }

function Edit ({ team }: { readonly team: Team }): VNode {
  const { data: roles } = useResource<{ roles: readonly Role[] }>('/v1/roles')
  const { data: users } = useResource<{ users: readonly User[] }>('/v1/users')
  const before: Draft = { title: team.title, roles: team.roles, grants: team.grants, members: team.members }
  const [draft, setDraft] = useState(before)
  const change = (parts: Partial<Draft>): void => setDraft({ ...draft, ...parts })
  return html`<${Section} title="What its members have">
    <${Labelled} label="Title">${(control: Control) => html`<input ...${control} maxlength="200" value=${draft.title} onInput=${(event: Event) => change({ title: (event.target as HTMLInputElement).value })} />`}</${Labelled}>
    <div class="two">
      <${Checks} label="Members" names=${(users?.users ?? []).map(({ user }) => user)} chosen=${draft.members} onChange=${(next: readonly string[]) => change({ members: next })} describe=${(name: string) => users?.users.find(({ user }) => user === name)?.title} empty="There is no user yet." />
      <${Checks} label="Roles" names=${(roles?.roles ?? []).map(({ role }) => role)} chosen=${draft.roles} onChange=${(next: readonly string[]) => change({ roles: next })} describe=${(name: string) => roles?.roles.find(({ role }) => role === name)?.title} />
    </div>
    <h3>Grants</h3>
    <${GrantsEditor} grants=${draft.grants} onChange=${(next: readonly Grant[]) => change({ grants: next })} />
    <${SaveBar} changed=${JSON.stringify(draft) !== JSON.stringify(before)} ready=${grantsReady(draft.grants)} save=${() => put(`/v1/teams/${team.team}`, draft)} undo=${() => setDraft(before)} done=${`The team ${team.team} was changed.`} />
  </${Section}>`
}
