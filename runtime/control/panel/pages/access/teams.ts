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
import type { Team } from './shapes.ts'
import type { VNode } from '../../kit/html.ts'

export function Teams (): VNode {
  const teams = useResource<{ teams: readonly Team[] }>('/v1/teams')
  const [adds, setAdds] = useState(false)
  const make = async (team: string, title: string): Promise<void> => {
    await put(`/v1/teams/${team}`, { title })
    await refresh('/v1/teams')
    go(['access', 'teams', team])
  }
  return html`<${Loaded} of=${teams} lines=${6}>${({ teams: found }: { teams: readonly Team[] }) => html`<${Section} title="Teams" note="members have the roles and grants of their teams" actions=${may('access:write') && html`<button type="button" class="primary" onClick=${() => setAdds(true)}><${Icon} name="plus" />Add a team</button>`}>
    <${Table} label="Teams" name="teams" rows=${found} keyOf=${({ team }: Team) => team} empty=${{ title: 'There is no team yet', text: 'A team gives its members roles and grants, so that they are given once.' }} columns=${[
      { id: 'team', title: 'Team', value: ({ team }: Team) => team, cell: ({ team, title }: Team) => html`<a href=${href(['access', 'teams', team])}>${team}</a> <span class="faint">${title}</span>` },
      { id: 'members', title: 'Members', right: true, value: ({ members }: Team) => members.length },
      { id: 'roles', title: 'Roles', value: ({ roles }: Team) => roles.join(), cell: ({ roles }: Team) => roles.map(role => html`<span class="tag">${role}</span> `) },
      { id: 'grants', title: 'Grants', grow: true, wide: true, cell: ({ grants }: Team) => html`<${GrantList} grants=${grants} />` }
    ]} />
    ${adds && html`<${NewName} title="Add a team" onMake=${make} onClose=${() => setAdds(false)} />`}
  </${Section}>`}</${Loaded}>`
}
