import { Checks } from './checks.ts'
import { NewPassword, passwordReady } from './new-password.ts'
import { Dialog } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Loaded, ProblemBox } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { say } from '../../parts/toast.ts'
import { post, problemOf } from '../../kit/api.ts'
import { msOf } from '../../kit/clock.ts'
import { html, useState } from '../../kit/html.ts'
import { go, href, route, setQuery } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Role, User } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'

export function Users (): VNode {
  const users = useResource<{ users: readonly User[] }>('/v1/users')
  const [adds, setAdds] = useState(false)
  const { q = '' } = route.value.query
  const fits = ({ user, title, email }: User): boolean => `${user} ${title} ${email}`.toLowerCase().includes(q.toLowerCase())
  return html`<${Loaded} of=${users} lines=${6}>${({ users: found }: { users: readonly User[] }) => html`<${Section} title="Users" note=${`${found.length} in all`} actions=${html`<input class="search" type="search" aria-label="Find a user" placeholder="Find" value=${q} onInput=${(event: Event) => setQuery({ q: (event.target as HTMLInputElement).value })} />${may('access:write') ? html`<button type="button" class="primary" onClick=${() => setAdds(true)}><${Icon} name="plus" />Add a user</button>` : html`<span class="faint small"><${Icon} name="lock" size=${12} /> changes need access:write</span>`}`}>
    <${Table} label="Users" name="users" rows=${found.filter(fits)} keyOf=${({ user }: User) => user} empty=${{ title: found.length === 0 ? 'There is no user yet' : 'Nobody fits', text: found.length === 0 ? 'Until there is one, only the admin token gets in.' : undefined }} columns=${[
      { id: 'user', title: 'User', value: ({ user }: User) => user, cell: ({ user, title }: User) => html`<a href=${href(['access', 'users', user])}>${user}</a> <span class="faint">${title}</span>` },
      { id: 'state', title: 'State', value: stateOf, cell: (user: User) => html`<${UserMark} user=${user} />` },
      { id: 'roles', title: 'Roles', value: ({ roles }: User) => roles.join(), cell: ({ roles, provider_roles: provided }: User) => [...roles, ...provided].map(role => html`<span class="tag">${role}</span> `) },
      { id: 'teams', title: 'Teams', wide: true, value: ({ teams }: User) => teams.join(), cell: ({ teams }: User) => teams.length === 0 ? html`<span class="faint">–</span>` : teams.join(', ') },
      { id: 'login', title: 'Last login', grow: true, wide: true, value: ({ last_login_at: at }: User) => at, cell: ({ last_login_at: at }: User) => html`<${Time} at=${at} />` }
    ]} />
    ${adds && html`<${AddUser} onClose=${() => setAdds(false)} />`}
  </${Section}>`}</${Loaded}>`
}

function stateOf ({ disabled, locked_until: locked, password }: User): string {
  if (disabled) return 'disabled'
  return (msOf(locked) ?? 0) > Date.now() ? 'locked out' : password ? 'active' : 'without a password'
}

export function UserMark ({ user }: { readonly user: User }): VNode {
  const state = stateOf(user)
  return html`<${Mark} level=${state === 'active' ? 'ok' : state === 'disabled' ? 'off' : state === 'locked out' ? 'warn' : 'idle'} word=${state} />`
}

function AddUser ({ onClose }: { readonly onClose: () => void }): VNode {
  const { data } = useResource<{ roles: readonly Role[] }>('/v1/roles')
  const [user, setUser] = useState('')
  const [title, setTitle] = useState('')
  const [roles, setRoles] = useState<readonly string[]>([])
  const [password, setPassword] = useState('')
  const [problem, setProblem] = useState<Problem>()
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  const right = /^[a-z0-9][a-z0-9._@+-]{0,99}$/.test(user)
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    try {
      await post('/v1/users', { user, title, roles, ...(password !== '' && { password }) })
      await refresh('/v1/users')
      say(`${user} can sign in now.`)
      go(['access', 'users', user])
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  return html`<${Dialog} title="Add a user" onClose=${onClose}><form onSubmit=${submit}>
    <${Labelled} label="User" required hint="What they sign in with: small letters, digits, . _ @ + -" error=${user === '' || right ? undefined : 'Small letters, digits, . _ @ + and - only.'}>${(control: Control) => html`<input ...${control} autocomplete="off" spellcheck=${false} value=${user} onInput=${(event: Event) => setUser(valueOf(event))} />`}</${Labelled}>
    <${Labelled} label="Full name">${(control: Control) => html`<input ...${control} autocomplete="off" maxlength="200" value=${title} onInput=${(event: Event) => setTitle(valueOf(event))} />`}</${Labelled}>
    <${NewPassword} label="Password" value=${password} onChange=${setPassword} hint="Empty: a user for programs, or one of the identity provider" />
    <${Checks} label="Roles" names=${(data?.roles ?? []).map(({ role }) => role)} chosen=${roles} onChange=${setRoles} describe=${(name: string) => data?.roles.find(({ role }) => role === name)?.title} />
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <div class="buttons end"><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="primary" disabled=${!right || (password !== '' && !passwordReady(password))}>Add</button></div>
  </form></${Dialog}>`
}
