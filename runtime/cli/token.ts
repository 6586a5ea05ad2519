// `twolane token …`: what programs log in with.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { table } from './table.ts'
import { listOf, UsageError } from './terminal.ts'
import type { Admin } from './admin.ts'
import type { Terminal } from './terminal.ts'

interface ShownToken {
  readonly id: string
  readonly title: string
  readonly user: string
  readonly scopes: readonly string[]
  readonly expires_at: string
  readonly last_used_at: string | null
}

export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals: [verb = '', name, ...more] } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...adminOptions, json: { type: 'boolean', default: false }, user: { type: 'string' }, scopes: { type: 'string' }, datasets: { type: 'string' }, days: { type: 'string' } }
  })
  checkVerb(verb)
  if (more.length > 0 || (verb === 'list') !== (name === undefined)) throw new UsageError(verb === 'list' ? '"token list" takes no name' : verb === 'add' ? '"token add" takes a title' : '"token revoke" takes the id of a token')
  const { user, scopes, days } = values
  if (verb === 'add' && (user === undefined || scopes === undefined)) throw new UsageError('"token add" needs --user and --scopes')
  if (days !== undefined && !/^\d{1,3}$/.test(days)) throw new UsageError('--days is a whole number')
  const admin = await connect(terminal, values.token)
  if (verb === 'list') {
    const { tokens } = await admin.json<{ tokens: ShownToken[] }>('GET', '/v1/tokens')
    for (const line of values.json ? [JSON.stringify(tokens)] : tokens.length === 0 ? ['There are no tokens'] : lines(tokens)) terminal.print(line)
  } else if (verb === 'revoke') {
    const answer = await admin.json<object>('DELETE', `/v1/tokens/${encodeURIComponent(name ?? '')}`)
    terminal.print(values.json ? JSON.stringify(answer) : `${name} is revoked`)
  } else {
    await add(admin, terminal, { ...values, title: name ?? '' })
  }
  return 0
}

function checkVerb (verb: string): void {
  if (!['add', 'list', 'revoke'].includes(verb)) throw new UsageError(verb === '' ? '"token" needs a verb: add, list or revoke' : `There is no "token ${verb}"; there are add, list, revoke`)
}

interface Wanted {
  readonly title: string
  readonly user?: string
  readonly scopes?: string
  readonly datasets?: string
  readonly days?: string
  readonly json: boolean
}

async function add (admin: Admin, terminal: Terminal, { title, user, scopes, datasets, days, json }: Wanted): Promise<void> {
  const made = await admin.json<ShownToken & { readonly secret: string }>('POST', '/v1/tokens', 201, {
    title,
    user,
    scopes: listOf(scopes),
    ...(datasets !== undefined && { grants: listOf(datasets).map(dataset => ({ dataset })) }),
    ...(days !== undefined && { expires_days: Number(days) })
  })
  // Alone on its line, so that a script can take it.
  terminal.print(json ? JSON.stringify(made) : made.secret)
  if (!json) terminal.complain(`Token ${made.id} of ${made.user}, shown only this once; it expires at ${made.expires_at.slice(0, 10)}`)
}

function lines (tokens: readonly ShownToken[]): string[] {
  return table(['ID', 'USER', 'TITLE', 'EXPIRES', 'LAST USED', 'SCOPES'], tokens.map(({ id, user, title, expires_at: expires, last_used_at: used, scopes }) => [id, user, title, expires.slice(0, 10), used?.slice(0, 16).replace('T', ' ') ?? 'never', scopes.join(', ')]))
}
