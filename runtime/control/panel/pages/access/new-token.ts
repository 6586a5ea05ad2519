import { Checks } from './checks.ts'
import { GrantsEditor, grantsReady } from './grants.ts'
import { QuotaForm } from './quota.ts'
import { scopes } from './shapes.ts'
import { Code } from '../../parts/code.ts'
import { Dialog } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { Mark } from '../../parts/mark.ts'
import { ProblemBox } from '../../parts/problem.ts'
import { Time } from '../../parts/time.ts'
import { post, problemOf } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may, owner } from '../../kit/session.ts'
import type { Grant, Quota, Token, User } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'

const DAYS = 90
const DAYS_MAX = 365

interface Draft { readonly title: string, readonly user: string, readonly scopes: readonly string[], readonly days: number, readonly grants: readonly Grant[] | null, readonly quota: Quota }

/** Makes a token, and shows its secret this once. */
export function NewToken ({ user, onClose }: { readonly user?: string | undefined, readonly onClose: () => void }): VNode {
  const me = owner.value
  const [draft, setDraft] = useState<Draft>({ title: '', user: user ?? (me?.kind === 'admin' ? '' : me?.user ?? ''), scopes: ['data:read'], days: DAYS, grants: null, quota: { requests_per_second: null, rows_per_day: null } })
  const [made, setMade] = useState<Token & { readonly secret: string }>()
  const [problem, setProblem] = useState<Problem>()
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    const { title, scopes: own, days, grants, quota } = draft
    try {
      setMade(await post('/v1/tokens', { title, scopes: own, expires_days: days, grants, quota, ...(draft.user !== me?.user && { user: draft.user }) }))
      await refresh('/v1/tokens')
    } catch (error) {
      setProblem(problemOf(error))
    }
  }
  if (made !== undefined) return html`<${Dialog} title="The token is made" onClose=${onClose}><${Made} token=${made} /><div class="buttons end"><button type="button" class="primary" onClick=${onClose}>I have kept it</button></div></${Dialog}>`
  const ready = draft.title !== '' && draft.user !== '' && draft.scopes.length > 0 && draft.days >= 1 && draft.days <= DAYS_MAX && grantsReady(draft.grants ?? [])
  return html`<${Dialog} title="Make a token" onClose=${onClose} wide><form onSubmit=${submit}>
    <${TokenForm} draft=${draft} choosesUser=${user === undefined && may('access:write')} onChange=${(parts: Partial<Draft>) => setDraft({ ...draft, ...parts })} />
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <div class="buttons end"><button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="primary" disabled=${!ready}>Make the token</button></div>
  </form></${Dialog}>`
}

function TokenForm ({ draft, choosesUser, onChange }: { readonly draft: Draft, readonly choosesUser: boolean, readonly onChange: (parts: Partial<Draft>) => void }): VNode {
  const { data } = useResource<{ users: readonly User[] }>(choosesUser && may('access:read') ? '/v1/users' : undefined)
  const valueOf = (event: Event): string => (event.target as HTMLInputElement).value
  const isOwn = draft.user === owner.value?.user
  const names = Object.keys(scopes).filter(name => !isOwn || may(name))
  return html`
    <div class="filters">
      <div class="grow"><${Labelled} label="What it is for" required>${(control: Control) => html`<input ...${control} maxlength="200" autocomplete="off" placeholder="nightly notebook" value=${draft.title} onInput=${(event: Event) => onChange({ title: valueOf(event) })} />`}</${Labelled}></div>
      ${choosesUser && html`<${Labelled} label="Of" required>${(control: Control) => html`<select ...${control} onChange=${(event: Event) => onChange({ user: valueOf(event) })}><option value="" selected=${draft.user === ''}>Choose a user</option>${(data?.users ?? []).map(({ user }) => html`<option value=${user} selected=${user === draft.user}>${user}</option>`)}</select>`}</${Labelled}>`}
      <${Labelled} label="Days until it ends" required hint=${`${DAYS_MAX} at most`}>${(control: Control) => html`<input ...${control} type="number" min="1" max=${DAYS_MAX} step="1" value=${draft.days} onInput=${(event: Event) => onChange({ days: Number(valueOf(event)) })} />`}</${Labelled}>
    </div>
    <${Checks} label="Scopes" names=${names} chosen=${draft.scopes} onChange=${(next: readonly string[]) => onChange({ scopes: next })} describe=${(name: string) => scopes[name as keyof typeof scopes]} />
    <label class="tick"><input type="checkbox" checked=${draft.grants === null} onChange=${() => onChange({ grants: draft.grants === null ? [] : null })} /><span>All data that its owner may see. Without this: only what these grants let through of it.</span></label>
    ${draft.grants !== null && html`<${GrantsEditor} grants=${draft.grants} onChange=${(next: readonly Grant[]) => onChange({ grants: next })} />`}
    <${QuotaForm} quota=${draft.quota} onChange=${(next: Quota) => onChange({ quota: next })} />`
}

function Made ({ token: { title, user, secret, expires_at: ends } }: { readonly token: Token & { readonly secret: string } }): VNode {
  return html`
    <p><${Mark} level="warn" word="This is the only time that it is shown." /> Keep it where secrets are kept; the platform has its hash only.</p>
    <${Code} text=${secret} what="the token" />
    <p class="faint small">“${title}” of ${user} ends <${Time} at=${ends} as="both" />. To use it:</p>
    <${Code} text=${`curl -H "Authorization: Bearer $TWOLANE_TOKEN" ${location.origin}/v1/datasets`} language="shell" what="the command" />`
}
