import { Checks } from './checks.ts'
import { GrantList, GrantsEditor, grantsReady } from './grants.ts'
import { SaveBar } from './save-bar.ts'
import { scopes } from './shapes.ts'
import { Confirm } from '../../parts/dialog.ts'
import { Labelled } from '../../parts/form.ts'
import { Page, Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { act } from '../../parts/toast.ts'
import { put, remove } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { go } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Grant, Role } from './shapes.ts'
import type { Control } from '../../parts/form.ts'
import type { VNode } from '../../kit/html.ts'

export function RolePage ({ role: name }: { readonly role: string }): VNode {
  const roles = useResource<{ roles: readonly Role[] }>('/v1/roles')
  const [asks, setAsks] = useState(false)
  const role = roles.data?.roles.find(one => one.role === name)
  const leave = async (): Promise<void> => {
    if (!await act(() => remove(`/v1/roles/${name}`), `The role ${name} is gone.`)) throw new Error('It was refused')
    await refresh('/v1/roles')
    go(['access', 'roles'])
  }
  return html`<${Page} name=${name} note=${role?.title} crumbs=${[{ title: 'Access', path: ['access'] }, { title: 'Roles', path: ['access', 'roles'] }]} actions=${role?.builtin === false && may('access:write') && html`<button type="button" class="danger" onClick=${() => setAsks(true)}>Remove</button>`}>
    <${Loaded} of=${roles} lines=${6}>${() => role === undefined ? html`<${Empty} title=${`There is no role ${name}`} />` : role.builtin ? html`<${Shown} role=${role} />` : html`<${Edit} key=${JSON.stringify(role)} role=${role} />`}</${Loaded}>
    ${asks && html`<${Confirm} title=${`Remove the role ${name}?`} name=${name} button="Remove" danger onConfirm=${leave} onClose=${() => setAsks(false)}><p>Whoever has it loses what it gives.</p></${Confirm}>`}
  </${Page}>`
}

const describe = (name: string): string => scopes[name as keyof typeof scopes] ?? ''

function Shown ({ role: { scopes: own, grants } }: { readonly role: Role }): VNode {
  return html`<${Section} title="What it lets somebody do" note="it comes with the platform, and stays as it is"><${Checks} label="Scopes" names=${Object.keys(scopes)} chosen=${own} onChange=${() => {}} describe=${describe} disabled /><h3>Grants</h3><${GrantList} grants=${grants} /></${Section}>`
}

interface Draft { readonly title: string, readonly scopes: readonly string[], readonly grants: readonly Grant[], readonly plugins: readonly string[] | null }

function Edit ({ role }: { readonly role: Role }): VNode {
  const { data } = useResource<{ plugins: ReadonlyArray<{ readonly name: string }> }>(may('platform:read') ? '/v1/plugins' : undefined)
  const before: Draft = { title: role.title, scopes: role.scopes, grants: role.grants, plugins: role.plugins }
  const [draft, setDraft] = useState(before)
  const change = (parts: Partial<Draft>): void => setDraft({ ...draft, ...parts })
  const plugins = [...new Set((data?.plugins ?? []).map(({ name }) => name))]
  return html`<${Section} title="What it lets somebody do">
    <${Labelled} label="Title">${(control: Control) => html`<input ...${control} maxlength="200" value=${draft.title} onInput=${(event: Event) => change({ title: (event.target as HTMLInputElement).value })} />`}</${Labelled}>
    <${Checks} label="Scopes" names=${Object.keys(scopes)} chosen=${draft.scopes} onChange=${(next: readonly string[]) => change({ scopes: next })} describe=${describe} />
    <h3>Grants</h3>
    <${GrantsEditor} grants=${draft.grants} onChange=${(next: readonly Grant[]) => change({ grants: next })} />
    ${draft.scopes.includes('pipelines:write') && html`
      <label class="tick"><input type="checkbox" checked=${draft.plugins === null} onChange=${() => change({ plugins: draft.plugins === null ? plugins : null })} /><span>All plugins in pipelines. A pipeline is code that runs: fewer are safer.</span></label>
      ${draft.plugins !== null && html`<${Checks} label="Plugins" names=${plugins} chosen=${draft.plugins} onChange=${(next: readonly string[]) => change({ plugins: next })} />`}`}
    <${SaveBar} changed=${JSON.stringify(draft) !== JSON.stringify(before)} ready=${grantsReady(draft.grants)} save=${() => put(`/v1/roles/${role.role}`, draft)} undo=${() => setDraft(before)} done=${`The role ${role.role} was changed.`} />
  </${Section}>`
}
