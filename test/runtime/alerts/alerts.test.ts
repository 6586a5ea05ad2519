// Rules, what becomes of them over time and restarts, and messages to real servers on loopback.

import t from 'tap'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { DatabaseSync } from 'node:sqlite'
import { SMTPServer } from 'smtp-server'
import { isQuiet, parseAlerts } from '../../../runtime/alerts/alert-file.ts'
import { AlertState, fits } from '../../../runtime/alerts/alert-state.ts'
import { Alerts } from '../../../runtime/alerts/alerts.ts'
import { send } from '../../../runtime/alerts/send.ts'
import type { AddressInfo } from 'node:net'
import type { IncomingHttpHeaders } from 'node:http'
import type { Test } from 'tap'
import type { Candidate, Step } from '../../../runtime/alerts/alert-state.ts'
import type { AlertParts } from '../../../runtime/alerts/alerts.ts'
import type { Message, Told } from '../../../runtime/alerts/send.ts'
import type { Verdict } from '../../../runtime/health/verdict.ts'

const minute = 60_000
const [rule] = parseAlerts('destinations: [{ name: desk, slack: { url: http://127.0.0.1/x } }]\nrules: [{ name: wrong, for: 2m, repeat: 1h, to: [desk] }]', {}).rules
if (rule === undefined) throw new Error('no rule')
const wrong: Candidate = { rule, subject: 'engine', severity: 'error', cause: 'The database is down', remedy: 'Look at it', datasets: ['quotes'] }

function step (now: number, candidates: readonly Candidate[], more: Partial<Step> = {}): Step {
  return { now, candidates, rules: [rule as NonNullable<typeof rule>], resting: new Set(), hidden: new Set(), quiet: () => false, url: '', ...more }
}

function kinds (state: AlertState): string[] {
  return state.waiting.flatMap(({ body }) => (JSON.parse(body) as Message).alerts.map(({ kind }) => kind))
}

await t.test('the file is checked with line and column, and names that do not exist are told', async t => {
  t.throws(() => parseAlerts('rules:\n  - name: x\n    sverity: error\n', {}), /config\/alerts\.yaml:3:/)
  t.throws(() => parseAlerts('rules: [{ name: x, to: [nobody] }]', {}), /there is no destination "nobody"/)
  t.throws(() => parseAlerts('rules: [{ name: x, metric: { name: y } }]', {}), /needs above, below or both/)
  t.throws(() => parseAlerts('quiet_hours: { from: "22:00", to: "07:00", time_zone: Nowhere }', {}), /is no time zone/)
  t.throws(() => parseAlerts('destinations: [{ name: a, slack: { url: http://x }, webhook: { url: http://x, secret: aaaaaaaaaaaaaaaa } }]', {}), /config\/alerts/)
  // eslint-disable-next-line no-template-curly-in-string -- The variable is replaced by the reader.
  const { secrets } = parseAlerts('destinations: [{ name: a, webhook: { url: http://x/hook, secret: "${S}" } }]', { S: 'a-secret-of-the-hook' })
  t.ok(secrets.includes('a-secret-of-the-hook'))
  t.equal(parseAlerts(readFileSync(join(import.meta.dirname, '../../../config/alerts.yaml'), 'utf8'), {}).rules.length, 1, 'the one that is shipped is right')
})

await t.test('a pattern fits with * for any text', async t => {
  t.ok(fits('*', ''))
  t.ok(fits('pipeline *', 'pipeline quotes'))
  t.ok(fits('a*b*c', 'a-b-b-c'))
  t.notOk(fits('a*b', 'ab-'))
  t.notOk(fits('engine', 'engines'))
})

await t.test('quiet hours go over midnight, in their time zone', async t => {
  const hours = { from: 22 * 60, to: 7 * 60, timeZone: 'America/New_York', letThrough: 'nothing' as const }
  t.equal(isQuiet(hours, Date.parse('2024-01-03T04:00Z')), true, '23:00 in New York')
  t.equal(isQuiet(hours, Date.parse('2024-01-03T22:30Z')), false, '17:30 in New York')
})

await t.test('an alert is told when it has lasted, again after a while, and when it is over', async t => {
  const database = new DatabaseSync(':memory:')
  const state = new AlertState(database)
  state.step(step(0, [wrong]))
  state.step(step(minute, [wrong]))
  t.same(kinds(state), [], 'not yet')
  state.step(step(2 * minute, [wrong]))
  t.same(kinds(state), ['firing'])
  state.step(step(30 * minute, [wrong]))
  t.same(kinds(state), ['firing'], 'told once')
  const restarted = new AlertState(database)
  restarted.step(step(31 * minute, [wrong]))
  t.same(kinds(restarted), ['firing'], 'a restart repeats nothing')
  restarted.step(step(63 * minute, [wrong]))
  t.same(kinds(restarted), ['firing', 'again'])
  restarted.step(step(64 * minute, []))
  t.same(kinds(restarted), ['firing', 'again', 'resolved'])
  t.same(restarted.alerts, [])
  restarted.step(step(65 * minute, [wrong]))
  restarted.step(step(66 * minute, []))
  t.equal(kinds(restarted).length, 3, 'what did not last is never told')
})

await t.test('what is silenced or falls into quiet hours is told afterwards, if it is still wrong', async t => {
  const state = new AlertState(new DatabaseSync(':memory:'))
  const { id } = state.silence({ matches: 'eng*', until: 100 * minute, by: 'ann', reason: 'we know' }, 0)
  state.step(step(0, [wrong]))
  state.step(step(5 * minute, [wrong]))
  t.same(kinds(state), [])
  t.ok(state.endSilence(id))
  t.notOk(state.endSilence(id))
  state.step(step(6 * minute, [wrong], { quiet: severity => severity === 'error' }))
  t.same(kinds(state), [])
  state.step(step(7 * minute, [wrong]))
  t.same(kinds(state), ['firing'])
  state.step(step(8 * minute, [], { resting: new Set(['wrong']) }))
  t.same(kinds(state), ['firing'], 'while its market is closed nothing is resolved')
  state.step(step(9 * minute, [], { hidden: new Set(['engine']) }))
  t.same(kinds(state), ['firing'], 'what only has a deeper cause now is not over')
  state.step(step(10 * minute, [], { quiet: () => true }))
  t.same(kinds(state), ['firing'], 'in quiet hours nobody hears that it is over')
  state.step(step(11 * minute, []))
  t.same(kinds(state), ['firing', 'resolved'])
  state.step(step(60 * minute, [wrong]))
  state.step(step(10 * minute, [wrong]))
  state.step(step(12 * minute, [wrong]))
  t.equal(kinds(state).at(-1), 'firing', 'a clock that was set back begins to count anew')
})

const told: Told = { kind: 'firing', rule: 'wrong', severity: 'error', cause: 'The database is down\r\nBcc: all@example.com', remedy: 'Look at it', datasets: ['quotes'], since: '2024-01-02T00:00:00.000Z' }

interface Hook { readonly url: string, readonly got: Array<{ readonly headers: IncomingHttpHeaders, readonly body: string }>, status: number }

async function hook (t: Test): Promise<Hook> {
  const got: Hook['got'] = []
  const server = createServer((request, response) => {
    void text(request).then(body => {
      got.push({ headers: request.headers, body })
      response.writeHead(opened.status, opened.status === 302 ? { location: '/elsewhere' } : {}).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const opened: Hook = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, got, status: 200 }
  return opened
}

await t.test('a webhook gets JSON that is signed, and a redirection is not followed', async t => {
  const server = await hook(t)
  const destination = { name: 'ops', webhook: { url: server.url, secret: 'a-secret-of-the-hook' } }
  const message: Message = { id: 'one', alerts: [told], url: 'http://127.0.0.1:8080' }
  await send(destination, message, 1_704_205_800_000)
  const [first] = server.got
  t.same(JSON.parse(first?.body ?? ''), message)
  const hash = createHmac('sha256', 'a-secret-of-the-hook').update(`1704205800.${first?.body}`).digest('hex')
  t.equal(first?.headers['twolane-signature'], `t=1704205800,v1=${hash}`)
  server.status = 302
  await t.rejects(send(destination, message), { code: 'DESTINATION_REFUSED', message: 'The destination ops answered with 302' })
  t.equal(server.got.length, 2)
  await send({ name: 'chat', slack: { url: server.url } }, message).catch(() => {})
  t.match((JSON.parse(server.got[2]?.body ?? '') as { text: string }).text, /^Wrong: The database is down/)
})

await t.test('a mail is taken by a server, and a line end in a cause makes no header', async t => {
  const mails: string[] = []
  const server = new SMTPServer({ authOptional: true, disabledCommands: ['STARTTLS'], onData: (stream, _session, done) => { void text(stream).then(mail => { mails.push(mail); done() }) } })
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  t.teardown(() => new Promise<void>(resolve => server.close(() => resolve())))
  const { port } = server.server.address() as AddressInfo
  const email = { server: `smtp://127.0.0.1:${port}`, from: 'twolane@example.com', to: ['desk@example.com'] }
  await send({ name: 'mail', email }, { id: 'two', alerts: [told, told], url: '' })
  const [mail = ''] = mails
  t.match(mail, /^To: desk@example\.com/m)
  t.match(mail.replaceAll(/\r\n /g, ' '), /^Subject: Twolane: wrong: The database is down Bcc: all@example\.com \(and 1 more\)/m)
  t.notMatch(mail.split('\r\n\r\n')[0], /^Bcc:/m)
})

await t.test('a message that nobody takes is kept and tried again, and health says so', async t => {
  const server = await hook(t)
  server.status = 503
  const root = t.testdir({ config: {} })
  mkdirSync(join(root, 'config'), { recursive: true })
  writeFileSync(join(root, 'config', 'alerts.yaml'), `destinations: [{ name: ops, webhook: { url: '${server.url}', secret: a-secret-of-the-hook } }]\nrules: [{ name: all, for: 1ms, to: [ops] }, { name: lag, for: 1ms, metric: { name: lag_seconds, labels: { pipeline: quotes }, above: 10 }, to: [ops] }]\n`)
  let now = 0
  const log = { info () {}, warn () {}, error () {}, debug () {} }
  const parts = { root, store: { database: new DatabaseSync(':memory:') }, log, url: '', env: {}, now: () => now, samples: async () => [{ name: 'lag_seconds', labels: { pipeline: 'quotes' }, value: 12 }, { name: 'lag_seconds', labels: { pipeline: 'bars' }, value: 99 }] } as unknown as AlertParts
  const alerts = new Alerts(parts)
  const verdict = { problems: [{ id: 'engine', part: 'clickhouse', severity: 'error', cause: 'It is down', remedy: '', actions: [], hides: [], datasets: [] }] } as unknown as Verdict
  for (now of [0, 10, 20_000, 60_000, 200_000]) {
    await alerts.watch(verdict)
    await alerts.deliver()
  }
  t.ok(server.got.length >= 3, 'tried again')
  t.equal(new Set(server.got.map(({ headers }) => headers['twolane-delivery'])).size, 1, 'the same message each time')
  t.same((JSON.parse(server.got[0]?.body ?? '') as Message).alerts.map(({ cause }) => cause).sort(), ['It is down', 'lag_seconds is 12 (pipeline quotes)'])
  t.match(alerts.notes(), [{ part: 'alerts to ops', cause: /answered with 503/ }])
  server.status = 200
  now = 10_000_000
  await alerts.deliver()
  t.same(alerts.state.waiting, [])
  t.same(alerts.notes(), [])
  await alerts.test('ops')
  t.equal((JSON.parse(server.got.at(-1)?.body ?? '') as Message).alerts[0]?.kind, 'test')

  await t.test('after a start nothing is said to be over until it had time to show', async t => {
    const restarted = new Alerts(parts)
    await restarted.watch({ problems: [] } as unknown as Verdict)
    t.same(restarted.state.alerts.map(({ subject }) => subject).sort(), ['engine', 'lag_seconds{"pipeline":"quotes"}'])
  })

  await t.test('what cannot be written down, as on a full disk, is told from memory, once', async t => {
    const { database } = parts.store
    const got = server.got.length
    const full = { problems: [...verdict.problems, { ...verdict.problems[0], id: 'disk' }] } as unknown as Verdict
    const go = async (verdict: Verdict): Promise<void> => {
      now += 10
      await alerts.watch(verdict)
      await alerts.deliver()
    }
    database.exec('pragma query_only = on')
    for (const verdict of [full, full, full]) await go(verdict)
    const told = (): Array<readonly string[]> => server.got.slice(got).map(({ body }) => (JSON.parse(body) as Message).alerts.filter(({ rule }) => rule === 'all').map(({ kind }) => kind))
    t.same(told(), [['firing']])
    database.exec('pragma query_only = off')
    for (const one of [full, verdict, verdict]) await go(one)
    t.same(told(), [['firing'], ['resolved']])
  })

  await t.test('nobody hears that it is over before they hear that it was wrong, nor is kept from it by another destination that hangs', async t => {
    const got = server.got.length
    server.status = 503
    for (const wrong of [{ ...verdict, problems: [{ ...verdict.problems[0], id: 'broker' }] } as Verdict, { problems: [] } as unknown as Verdict]) {
      for (let i = 0; i < 2; i++) {
        now += 10
        await alerts.watch(wrong)
        await alerts.deliver()
      }
    }
    server.status = 200
    now += 4_000_000
    await alerts.deliver()
    const kinds = server.got.slice(got).map(({ body }) => (JSON.parse(body) as Message).alerts.find(({ rule }) => rule === 'all')?.kind)
    t.same(kinds.slice(-2), ['firing', 'resolved'])
  })

  await t.test('who may write rules does not choose where the platform connects', async t => {
    await t.rejects(alerts.replace('destinations: [{ name: ops, slack: { url: http://127.0.0.1:1/ } }]', { destinations: 'same' }), { code: 'REQUEST_REFUSED' })
    await t.rejects(alerts.replace('rules: 5', { destinations: 'same' }), { code: 'CONFIG_INVALID' })
    t.equal(alerts.config.rules.length, 2)
  })

  await t.test('a file that is broken leaves the rules as they were, and is told', async t => {
    writeFileSync(join(root, 'config', 'alerts.yaml'), 'rules: [')
    await alerts.refresh()
    t.equal(alerts.config.rules.length, 2)
    t.match(alerts.notes(), [{ part: 'alerts', severity: 'error', cause: /config\/alerts\.yaml cannot be used/ }])
    const restarted = new Alerts(parts)
    await restarted.refresh()
    t.equal(restarted.config.rules.length, 2, 'also over a restart')
    writeFileSync(join(root, 'config', 'alerts.yaml'), 'rules: [{ name: x, during: NOWHERE }]')
    await restarted.refresh()
    t.match(restarted.notes(), [{ cause: /NOWHERE/ }], 'a market that is not known holds up no other rule')
    t.equal(restarted.config.rules.length, 2)
  })
})
