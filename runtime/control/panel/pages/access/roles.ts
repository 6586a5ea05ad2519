import { GrantList } from './grants.ts'
import { NewName } from './new-name.ts'
import { Icon } from '../../parts/icon.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { put } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { go, href } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Role } from './shapes.ts'
import type { VNode } from '../../kit/html.ts'

export function Roles (): VNode {
  const roles = useResource<{ roles: readonly Role[] }>('/v1/roles')
  const [adds, setAdds] = useState(false)
  const make = async (role: string, title: string): Promise<void> => {
    await put(`/v1/roles/${role}`, { title, scopes: [] })
    await refresh('/v1/roles')
    go(['access', 'roles', role])
  }
  return html`<${Loaded} of=${roles} lines=${6}>${({ roles: found }: { roles: readonly Role[] }) => html`<${Section} title="Roles" note="what somebody may do, under one name" actions=${may('access:write') && html`<button type="button" class="primary" onClick=${() => setAdds(true)}><${Icon} name="plus" />Add a role</button>`}>
    <${Table} label="Roles" name="roles" rows=${found} keyOf=${({ role }: Role) => role} columns=${[
      { id: 'role', title: 'Role', value: ({ role }: Role) => role, cell: ({ role, builtin }: Role) => html`<a href=${href(['access', 'roles', role])}>${role}</a>${builtin && html` <span class="tag">comes with the platform</span>`}` },
      { id: 'scopes', title: 'Scopes', right: true, value: ({ scopes }: Role) => scopes.length },
      { id: 'title', title: 'What for', grow: true, cell: ({ title }: Role) => html`<span class="faint">${title}</span>` },
      { id: 'grants', title: 'Grants', wide: true, cell: ({ grants }: Role) => html`<${GrantList} grants=${grants} />` }
    ]} />
    ${adds && html`<${NewName} title="Add a role" onMake=${make} onClose=${() => setAdds(false)} />`}
  </${Section}>`}</${Loaded}>`
}
