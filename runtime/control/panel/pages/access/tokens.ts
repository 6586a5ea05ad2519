// Tokens: what programs use. The secret is shown once.

import { NewToken } from './new-token.ts'
import { GrantList } from './grants.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { Confirm } from '../../parts/dialog.ts'
import { act } from '../../parts/toast.ts'
import { remove } from '../../kit/api.ts'
import { msOf, now } from '../../kit/clock.ts'
import { html, useState } from '../../kit/html.ts'
import { href } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may, owner } from '../../kit/session.ts'
import type { Token } from './shapes.ts'
import type { VNode } from '../../kit/html.ts'

const DAY_MS = 86_400_000
const SOON_DAYS = 14
const UNUSED_DAYS = 30

export function Tokens (): VNode {
  return html`<${Section} title="Tokens of everybody" note="a token has at most what its owner has"><${TokenList} /></${Section}>`
}

/** The tokens of one user, or of all; whoever looks may add and revoke what is theirs, and admins what is of others. */
export function TokenList ({ user }: { readonly user?: string }): VNode {
  const tokens = useResource<{ tokens: readonly Token[] }>('/v1/tokens')
  const [adds, setAdds] = useState(false)
  const [revokes, setRevokes] = useState<Token>()
  const me = owner.value
  const mayAdd = me?.kind !== 'token' && (may('access:write') || user === me?.user)
  const mayRevoke = (token: Token): boolean => token.user === me?.user || may('access:write')
  const revoke = async (): Promise<void> => {
    if (!await act(() => remove(`/v1/tokens/${revokes?.id}`), 'The token is revoked; what it had open has ended.')) throw new Error('It was refused')
    await refresh('/v1/tokens')
  }
  return html`<${Loaded} of=${tokens}>${({ tokens: found }: { tokens: readonly Token[] }) => html`
    <${Table} label="Tokens" name="tokens" rows=${found.filter(one => user === undefined || one.user === user)} keyOf=${({ id }: Token) => id} empty=${{ title: 'There is no token', text: 'Programs use tokens, each with scopes, an end, and grants of its own if you like.' }}
      detail=${(token: Token) => html`<p>Scopes: ${token.scopes.join(', ')}.</p><p>Grants: ${token.grants === null ? 'all that its owner has' : html`<${GrantList} grants=${token.grants} />`}</p><p class="faint small">Id <code>${token.id}</code>, made <${Time} at=${token.created_at} as="both" />. <a href=${href(['access', 'why'], { token: token.id })}>What may it do?</a></p>`} columns=${[
        { id: 'title', title: 'Token', value: ({ title }: Token) => title, cell: ({ title }: Token) => html`<strong>${title}</strong>` },
        ...user === undefined ? [{ id: 'user', title: 'Of', value: ({ user }: Token) => user, cell: ({ user }: Token) => html`<a href=${href(['access', 'users', user])}>${user}</a>` }] : [],
        { id: 'expires', title: 'Ends', value: ({ expires_at: at }: Token) => at, cell: (token: Token) => html`<${Ends} token=${token} />` },
        { id: 'used', title: 'Last use', grow: true, value: ({ last_used_at: at }: Token) => at, cell: (token: Token) => html`<${Time} at=${token.last_used_at} />${isUnused(token) && html` <span class="tag">not used for long</span>`}` },
        { id: 'do', title: '', cell: (token: Token) => mayRevoke(token) && html`<button type="button" class="small danger" aria-label=${`Revoke ${token.title}`} onClick=${() => setRevokes(token)}>Revoke</button>` }
      ]} />
    ${mayAdd ? html`<div class="padded"><button type="button" onClick=${() => setAdds(true)}><${Icon} name="plus" />Make a token</button></div>` : me?.kind === 'token' && html`<p class="padded faint small">You are here with a token, and a token makes no tokens. Sign in.</p>`}
    ${adds && html`<${NewToken} user=${user} onClose=${() => setAdds(false)} />`}
    ${revokes !== undefined && html`<${Confirm} title=${`Revoke ${revokes.title}?`} button="Revoke" danger onConfirm=${revoke} onClose=${() => setRevokes(undefined)}><p>Programs of ${revokes.user} that use it are refused from now on. It cannot be taken back.</p></${Confirm}>`}`}</${Loaded}>`
}

function Ends ({ token: { expires_at: at } }: { readonly token: Token }): VNode {
  const left = (msOf(at) ?? 0) - now.value
  return left <= 0 ? html`<${Mark} level="bad" word="expired" />` : html`<${Mark} level=${left < SOON_DAYS * DAY_MS ? 'warn' : 'ok'} word=${left < SOON_DAYS * DAY_MS ? 'soon' : 'valid'} quiet /> <span class="faint small"><${Time} at=${at} /></span>`
}

function isUnused ({ last_used_at: used, created_at: created }: Token): boolean {
  return now.value - (msOf(used) ?? msOf(created) ?? 0) > UNUSED_DAYS * DAY_MS
}
