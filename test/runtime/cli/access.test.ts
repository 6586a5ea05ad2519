import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { main } from '../../../runtime/cli/main.ts'
import { root } from '../../system/project.ts'
import { openEndpoint, token } from '../control/endpoint.ts'
import type { AddressInfo } from 'node:net'

await t.test('users, tokens and the audit log on the command line', async t => {
  const { app, platform, project } = await openEndpoint(t, {})
  await app.listen({ host: '127.0.0.1', port: 0 })
  const env = { TWOLANE_URL: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, TWOLANE_ADMIN_TOKEN: token }
  const run = async (...args: string[]): Promise<{ code: number, out: string[], complaints: string[] }> => {
    const [out, complaints]: [string[], string[]] = [[], []]
    const code = await main(args, { root: project.folder, folder: project.folder, env, print: line => { out.push(line) }, complain: line => { complaints.push(line) } })
    return { code, out, complaints }
  }
  t.strictSame(await run('user', 'list'), { code: 0, out: ['There are no users'], complaints: [] })
  t.match(await run('user', 'add', 'bot', '--roles', 'viewer,analyst', '--no-password', '--title', 'A program'), { code: 0, out: ['bot is added'] })
  t.match(await run('user', 'list'), { out: [/^USER +ROLES +TEAMS +LAST LOGIN +TITLE$/, /^bot +viewer, analyst +never +A program$/] })
  t.match(await run('user', 'add', 'bot', '--no-password'), { code: 1, complaints: [/There is a user bot already/] })
  t.match(await run('user', 'add', 'x', '--roles', 'nope', '--no-password'), { code: 1, complaints: [/no role nope/] })
  t.match(await run('user', 'disable', 'bot'), { out: ['bot is disabled'] })
  t.ok(platform.access.directory.user('bot')?.disabled)
  t.match(await run('user', 'enable', 'bot'), { out: ['bot is enabled'] })

  // A password is piped in; it stands in no list of processes.
  const child = spawn(process.execPath, [join(root, 'runtime/cli/main.ts'), 'user', 'password', 'bot'], { cwd: project.folder, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end('four words that do\n')
  t.strictSame((await once(child, 'exit'))[0], 0)
  t.equal((await app.inject({ method: 'POST', url: '/v1/login', payload: { user: 'bot', password: 'four words that do' } })).statusCode, 200)

  const made = await run('token', 'add', 'nightly', '--user', 'bot', '--scopes', 'data:read,platform:read', '--datasets', 'quotes,crypto_*', '--days', '7')
  t.match(made, { code: 0, out: [/^tl_[\w-]{43}$/], complaints: [/shown only this once/] })
  t.match((await app.inject({ url: '/v1/me', headers: { authorization: `Bearer ${made.out[0]}` } })).json(), { user: 'bot', scopes: ['data:read', 'platform:read'], within: [{ dataset: 'quotes' }, { dataset: 'crypto_*' }] })
  const id = platform.access.tokens.list('bot')[0]!.id
  t.match(await run('token', 'list'), { out: [/^ID/, new RegExp(`^${id} +bot +nightly`)] })
  t.match(await run('token', 'revoke', id), { code: 0 })
  t.match(await run('token', 'revoke', id), { code: 1, complaints: [/There is no token/] })
  t.match(await run('user', 'remove', 'bot'), { out: ['bot is removed'] })

  t.match(await run('audit', 'verify'), { code: 0, out: [/^\d+ entries, and the chain is whole\. Last hash: [0-9a-f]{64}$/] })
  const { out: lines } = await run('audit', 'export')
  const file = join(project.folder, 'audit.ndjson')
  writeFileSync(file, `${lines.join('\n')}\n`)
  t.match(await run('audit', 'verify', 'audit.ndjson'), { code: 0, out: [/chain is whole/] })
  writeFileSync(file, readFileSync(file, 'utf8').replace('"user.remove"', '"user.change"'))
  t.match(await run('audit', 'verify', 'audit.ndjson'), { code: 1, complaints: [/broken at entry \d+/] })
  writeFileSync(file, 'no log')
  t.match(await run('audit', 'verify', 'audit.ndjson'), { code: 1, complaints: [/is no exported audit log/] })
  for (const args of [['user'], ['user', 'add'], ['user', 'list', 'x'], ['token', 'add', 'x'], ['token', 'revoke'], ['audit'], ['audit', 'shorten']]) t.match(await run(...args), { code: 2 }, args.join(' '))
  t.match(execFileSync(process.execPath, [join(root, 'runtime/cli/main.ts'), 'help'], { encoding: 'utf8' }), /^ {2}audit {2}/m)
})
