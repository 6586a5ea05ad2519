// What everybody has: who they are here, their password, their tokens.

import { GrantList } from './grants.ts'
import { NewPassword, passwordReady } from './new-password.ts'
import { TokenList } from './tokens.ts'
import { Labelled } from '../../parts/form.ts'
import { Facts, Section } from '../../parts/page.ts'
import { Loaded, ProblemBox } from '../../parts/problem.ts'
import { say } from '../../parts/toast.ts'
import { post, problemOf } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { count } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import type { Grant, Quota } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'
import type { Me } from '../../kit/session.ts'

type OwnAccount = Me & { readonly quota: Quota & { readonly rows_today: number }, readonly grants: readonly Grant[] }

export function Account (): VNode {
  const me = useResource<OwnAccount>('/v1/me')
  return html`<${Loaded} of=${me} lines=${6}>${(found: OwnAccount) => html`
    <${Section} title=${found.user} note=${found.kind === 'admin' ? 'the admin token, which is no user' : found.kind === 'token' ? 'with a token' : undefined} actions=${html`<a class="button small" href=${href(['access', 'why'])}>Why can I (not)?</a>`}>
      <${Facts} facts=${[
        ['Roles', found.roles.join(', ') || 'none'], ['Teams', found.teams.join(', ') || 'none'],
        ['Rows today', `${count(found.quota.rows_today)}${found.quota.rows_per_day === null ? '' : ` of ${count(found.quota.rows_per_day)}`}`],
        ['Requests a second', found.quota.requests_per_second === null ? 'as the platform allows' : `${count(found.quota.requests_per_second)} at most`]
      ]} />
      <h3>Datasets</h3><${GrantList} grants=${found.grants} />
      <h3>Scopes</h3><p class="tags">${found.scopes.map(scope => html`<span class="tag">${scope}</span> `)}</p>
    </${Section}>
    ${found.kind === 'user' && html`<${Section} title="Your tokens"><${TokenList} user=${found.user} /></${Section}><${Section} title="Your password"><${ChangePassword} /></${Section}>`}`}</${Loaded}>`
}

function ChangePassword (): VNode {
  const [current, setCurrent] = useState('')
  const [password, setPassword] = useState('')
  const [problem, setProblem] = useState<Problem>()
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    setProblem(undefined)
    try {
      await post('/v1/me/password', { current, password })
      setCurrent('')
      setPassword('')
      say('Your password is changed; your other sessions have ended.')
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  return html`<form class="account-form" onSubmit=${submit}>
    <${Labelled} label="Current password" required>${(control: Control) => html`<input ...${control} type="password" autocomplete="current-password" value=${current} onInput=${(event: Event) => setCurrent((event.target as HTMLInputElement).value)} />`}</${Labelled}>
    <${NewPassword} label="New password" value=${password} onChange=${setPassword} />
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <div class="buttons"><button type="submit" class="primary" disabled=${current === '' || !passwordReady(password)}>Change the password</button></div>
  </form>`
}
