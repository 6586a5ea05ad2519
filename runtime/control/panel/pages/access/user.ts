// One user: what they have, what they get through it, and what can be done about it.

import { Checks } from './checks.ts'
import { GrantsEditor, grantsReady } from './grants.ts'
import { NewPassword, passwordReady } from './new-password.ts'
import { QuotaForm } from './quota.ts'
import { SaveBar } from './save-bar.ts'
import { TokenList } from './tokens.ts'
import { UserMark } from './users.ts'
import { Confirm, Dialog } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { Facts, Page, Section } from '../../parts/page.ts'
import { Loaded, ProblemBox } from '../../parts/problem.ts'
import { Time } from '../../parts/time.ts'
import { act, say } from '../../parts/toast.ts'
import { patch, post, problemOf, remove } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { go, href } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Grant, Quota, Role, Team, User } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'

export function UserPage ({ user: name }: { readonly user: string }): VNode {
  const user = useResource<User>(`/v1/users/${encodeURIComponent(name)}`)
  const { data } = user
  return html`<${Page} name=${name} note=${data?.title} mark=${data && html`<${UserMark} user=${data} />`} crumbs=${[{ title: 'Access', path: ['access'] }, { title: 'Users', path: ['access', 'users'] }]} actions=${data && may('access:write') && html`<${Actions} user=${data} />`}>
    <${Loaded} of=${user} lines=${8}>${(found: User) => html`
      <${Section} title="About" actions=${html`<a class="button small" href=${href(['access', 'why'], { user: name })}>What may ${name} do?</a>`}><${Facts} facts=${[
        ['E-mail', found.email === '' ? '–' : found.email], ['Last login', html`<${Time} at=${found.last_login_at} as="both" />`], ['Added', html`<${Time} at=${found.created_at} as="both" />`],
        ['Roles of the identity provider', found.provider_roles.length === 0 ? 'none' : found.provider_roles.join(', ')],
        ...found.locked_until === null ? [] : [['Locked out until', html`<${Time} at=${found.locked_until} as="both" />`] as const]
      ]} /></${Section}>
      <${Edit} key=${JSON.stringify(found)} user=${found} />
      <${Section} title="Tokens"><${TokenList} user=${name} /></${Section}>`}</${Loaded}>
  </${Page}>`
}

interface Draft { readonly title: string, readonly email: string, readonly roles: readonly string[], readonly teams: readonly string[], readonly grants: readonly Grant[], readonly quota: Quota }

function Edit ({ user }: { readonly user: User }): VNode {
  const { data: roles } = useResource<{ roles: readonly Role[] }>('/v1/roles')
  const { data: teams } = useResource<{ teams: readonly Team[] }>('/v1/teams')
  const before: Draft = { title: user.title, email: user.email, roles: user.roles, teams: user.teams, grants: user.grants, quota: user.quota }
  const [draft, setDraft] = useState(before)
  const change = (parts: Partial<Draft>): void => setDraft({ ...draft, ...parts })
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  return html`<${Section} title="What they have" note="a change holds at once; sessions with other rights end">
    <div class="filters">
      <div class="grow"><${Labelled} label="Full name">${(control: Control) => html`<input ...${control} maxlength="200" value=${draft.title} onInput=${(event: Event) => change({ title: valueOf(event) })} />`}</${Labelled}></div>
      <div class="grow"><${Labelled} label="E-mail">${(control: Control) => html`<input ...${control} type="email" maxlength="200" value=${draft.email} onInput=${(event: Event) => change({ email: valueOf(event) })} />`}</${Labelled}></div>
    </div>
    <div class="two">
      <${Checks} label="Roles" names=${(roles?.roles ?? []).map(({ role }) => role)} chosen=${draft.roles} onChange=${(next: readonly string[]) => change({ roles: next })} describe=${(name: string) => roles?.roles.find(({ role }) => role === name)?.title} />
      <${Checks} label="Teams" names=${(teams?.teams ?? []).map(({ team }) => team)} chosen=${draft.teams} onChange=${(next: readonly string[]) => change({ teams: next })} describe=${(name: string) => teams?.teams.find(({ team }) => team === name)?.title} empty="There is no team yet." />
    </div>
    <h3>Grants of their own</h3>
    <${GrantsEditor} grants=${draft.grants} onChange=${(next: readonly Grant[]) => change({ grants: next })} />
    <${QuotaForm} quota=${draft.quota} onChange=${(next: Quota) => change({ quota: next })} />
    <${SaveBar} changed=${JSON.stringify(draft) !== JSON.stringify(before)} ready=${grantsReady(draft.grants)} save=${() => patch(`/v1/users/${encodeURIComponent(user.user)}`, draft)} undo=${() => setDraft(before)} done=${`${user.user} was changed.`} />
  </${Section}>`
}

function Actions ({ user: { user, disabled } }: { readonly user: User }): VNode {
  const [asks, setAsks] = useState<'password' | 'remove'>()
  const path = `/v1/users/${encodeURIComponent(user)}`
  const toggle = (): Promise<boolean> => act(async () => {
    await patch(path, { disabled: !disabled })
    await refresh('/v1/users')
  }, disabled ? `${user} can sign in again.` : `${user} is shut out; sessions and tokens have ended.`)
  const close = (): void => setAsks(undefined)
  const leave = async (): Promise<void> => {
    const done = await act(() => remove(path), `${user} is gone, with tokens and sessions.`)
    if (!done) throw new Error('It was refused')
    await refresh('/v1/users')
    go(['access', 'users'])
  }
  return html`<button type="button" onClick=${toggle}>${disabled ? 'Enable' : 'Disable'}</button>
    <button type="button" onClick=${() => setAsks('password')}>Set the password</button>
    <button type="button" class="danger" onClick=${() => setAsks('remove')}>Remove</button>
    ${asks === 'password' && html`<${SetPassword} user=${user} onClose=${close} />`}
    ${asks === 'remove' && html`<${Confirm} title=${`Remove ${user}?`} name=${user} button="Remove" danger onConfirm=${leave} onClose=${close}><p>The user goes with all tokens and sessions. What the audit log says of them stays. To shut somebody out for a while, disable them instead.</p></${Confirm}>`}`
}

function SetPassword ({ user, onClose }: { readonly user: string, readonly onClose: () => void }): VNode {
  const [password, setPassword] = useState('')
  const [problem, setProblem] = useState<Problem>()
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    try {
      await post(`/v1/users/${encodeURIComponent(user)}/password`, { password })
      say(`${user} has another password; their sessions have ended.`)
      await refresh('/v1/users')
      onClose()
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  return html`<${Dialog} title=${`Password of ${user}`} onClose=${onClose}><form onSubmit=${submit}>
    <p class="faint">Their sessions end, and they are locked out no more.</p>
    <${NewPassword} label="New password" value=${password} onChange=${setPassword} />
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <div class="buttons end"><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="primary" disabled=${!passwordReady(password)}>Set it</button></div>
  </form></${Dialog}>`
}
