// Several hosts, and certificates: what the client does when one of them is not there, or not the right one.

import t from 'tap'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { parseAddress, withParameters } from '../../../runtime/clickhouse/address.ts'
import { until } from '../../conform/context.ts'
import { Proxy } from '../../plugins/outputs/streaming-database/proxy.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} }, password: 'se/cr@t' })
t.teardown(() => engine.close())
const { host: engineHost } = new URL(engine.url)
const credentials = 'default:se%2Fcr%40t'

await t.test('an address says hosts, user, cluster and files, and no message of it has the password', async t => {
  t.strictSame(parseAddress('https://us%40er:p%2Fw@a:1,b:2/path?ca=/c.pem&x=1&cluster=main'), {
    text: 'https://a:1,b:2', urls: ['https://a:1/path?x=1', 'https://b:2/path?x=1'], username: 'us@er', password: 'p/w', cluster: 'main', files: { ca: '/c.pem' }
  })
  t.strictSame(parseAddress('http://h'), { text: 'http://h', urls: ['http://h'], username: '', password: '', cluster: '', files: {} })
  const none = { cluster: '', ca: '', certificate: '', key: '' }
  t.equal(withParameters('http://h', none), 'http://h')
  t.equal(withParameters('http://h:1/?cluster=own', { ...none, cluster: 'main', ca: '/a b.pem' }), 'http://h:1/?cluster=own&ca=%2Fa+b.pem')
  for (const [text, says] of [
    ['http://u:geheim@a:1,b:2', /several hosts and no cluster/],
    ['http://u:geheim@a:1,:2?cluster=c', /not a URL/],
    ['tcp://u:geheim@a:1', /not a URL/],
    ['http://u:geheim@a:99999', /not a URL/],
    ['http://u:geheim@a?ca=/c', /certificates are for https/],
    ['https://u:geheim@a?key=/k', /needs its key/]
  ] as const) {
    t.throws(() => parseAddress(text), { code: 'CONFIG_INVALID', message: says })
    try { parseAddress(text) } catch (error) { t.notMatch(String(error), 'geheim') }
  }
})

await t.test('the next statement goes to a host that answers, and one whose answer was lost is not repeated', async t => {
  const [a, b] = [new Proxy(engine.url), new Proxy(engine.url)]
  const [hostA, hostB] = [new URL(await a.listen()).host, new URL(await b.listen()).host]
  const client = await connectClickHouse(`http://${credentials}@127.0.0.1:1,${hostA},${hostB}/?cluster=test`)
  t.equal(client.address, `http://127.0.0.1:1,${hostA},${hostB}`)
  await client.command('CREATE DATABASE failover')
  await client.command('CREATE TABLE failover.t (n Int32) ENGINE = MergeTree ORDER BY n')
  a.set('refuse')
  // The connection is cut: nobody knows what happened, so it is for the caller to find out.
  await t.rejects(client.command('INSERT INTO failover.t SELECT 1'), { code: 'DESTINATION_UNAVAILABLE', message: new RegExp(`ClickHouse at http://127.0.0.1:1,${hostA}`) })
  await client.command('INSERT INTO failover.t SELECT 2')
  b.set('deaf')
  await t.rejects(client.command('INSERT INTO failover.t SELECT 3'), { code: 'DESTINATION_UNAVAILABLE' })
  a.set('pass')
  // The first host refuses the connection, so this one goes on to the second.
  t.strictSame(await client.rows('SELECT n FROM failover.t ORDER BY n'), [{ n: 2 }, { n: 3 }], 'the lost answer was of a statement that landed, once')
  await a.close()
  await b.close()
  const gone = await client.rows('SELECT 1').then(() => undefined, (error: unknown) => error)
  t.match(gone, { code: 'DESTINATION_UNAVAILABLE' })
  t.notMatch(String(gone), 'se/cr@t')
  await client.close()
})

/** TLS in front of the engine. */
async function secure (options: ServerOptions, seen: IncomingMessage[] = []): Promise<{ port: number, close (): void }> {
  const server = createTlsServer(options, (message: IncomingMessage, response: ServerResponse) => {
    seen.push(message)
    const { host: _, 'x-clickhouse-ssl-certificate-auth': __, ...headers } = message.headers
    message.pipe(request(`http://${engineHost}${message.url ?? ''}`, { method: message.method ?? 'GET', headers }, answer => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => { server.closeAllConnections(); server.close() } }
}

const folder = t.testdir()
const pem = (name: string): string => join(folder, `${name}.pem`)
const openssl = (...args: string[]): void => { execFileSync('openssl', args, { stdio: 'ignore' }) }

/** A certificate that `ca` signs; without one it signs itself. */
function certificate (name: string, { ca, days = 30, alternative = 'IP:127.0.0.1' }: { ca?: string, days?: number, alternative?: string } = {}): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', pem(`${name}.key`)]
  const subject = ['-subj', `/CN=${name}`]
  if (ca === undefined) return openssl('req', '-x509', ...key, ...subject, '-days', String(days), '-out', pem(name))
  openssl('req', ...key, ...subject, '-addext', `subjectAltName=${alternative}`, '-out', pem(`${name}.csr`))
  openssl('x509', '-req', '-in', pem(`${name}.csr`), '-CA', pem(ca), '-CAkey', pem(`${ca}.key`), '-copy_extensions', 'copy', '-days', String(days), '-out', pem(name))
}

await t.test('HTTPS with an own authority and a certificate of the client, and what is wrong with one is named', async t => {
  certificate('authority')
  certificate('other')
  certificate('server', { ca: 'authority' })
  certificate('elsewhere', { ca: 'authority', alternative: 'DNS:db.example' })
  certificate('client', { ca: 'authority' })
  const identity = (name: string): ServerOptions => ({ cert: readFileSync(pem(name)), key: readFileSync(pem(`${name}.key`)) })
  const seen: IncomingMessage[] = []
  const [plain, wrong, mutual] = [
    await secure(identity('server')), await secure(identity('elsewhere')),
    await secure({ ...identity('server'), ca: readFileSync(pem('authority')), requestCert: true, rejectUnauthorized: true }, seen)
  ]
  t.teardown(() => { for (const server of [plain, wrong, mutual]) server.close() })
  const url = (port: number, files: Record<string, string> = {}, user = `${credentials}@`): string => `https://${user}127.0.0.1:${port}/?${new URLSearchParams(files).toString()}`
  const authority = { ca: pem('authority') }
  const own = { ...authority, certificate: pem('client'), key: pem('client.key') }

  const client = await connectClickHouse(url(plain.port, authority))
  t.strictSame(await client.rows('SELECT 1 AS one'), [{ one: 1 }])
  await client.close()
  const certified = await connectClickHouse(url(mutual.port, own))
  t.strictSame(await certified.rows('SELECT 1 AS one'), [{ one: 1 }])
  await certified.close()
  t.equal(seen.at(-1)?.headers['x-clickhouse-ssl-certificate-auth'], undefined, 'the password counts')
  await t.rejects(connectClickHouse(url(mutual.port, own, 'reader@')), { code: 'DESTINATION_REFUSED' }, 'the embedded engine knows passwords only')
  t.match(seen.at(-1)?.headers, { 'x-clickhouse-user': 'reader', 'x-clickhouse-ssl-certificate-auth': 'on' }, 'without a password the certificate counts')

  const rejects: ReadonlyArray<readonly [string, string, { readonly [key: string]: unknown }]> = [
    ['unknown authority', url(plain.port), { code: 'DESTINATION_REFUSED', message: /signed by (nobody who|an authority that) is/, remedy: /clickhouse_ca_file/ }],
    ['another authority', url(plain.port, { ca: pem('other') }), { code: 'DESTINATION_REFUSED', message: /certificate of the server/ }],
    ['another host', url(wrong.port, authority), { code: 'DESTINATION_REFUSED', message: /is for another host/ }],
    ['no certificate of the client', url(mutual.port, authority), { message: new RegExp(`ClickHouse at https://127.0.0.1:${mutual.port}: `) }],
    ['plain HTTP', url(Number(engineHost.split(':')[1]), authority), { code: 'DESTINATION_REFUSED', message: /does not speak TLS/ }],
    ['no such file', url(plain.port, { ca: join(folder, 'nowhere') }), { code: 'CONFIG_INVALID', where: join(folder, 'nowhere') }],
    ['no certificate', url(plain.port, { ca: pem('client.key') }), { code: 'CONFIG_INVALID', message: /no certificate in PEM form/ }],
    ['the key of another', url(mutual.port, { ...own, key: pem('server.key') }), { code: 'CONFIG_INVALID', message: /not that of the certificate of CN=client/ }]
  ]
  for (const [name, address, wanted] of rejects) {
    const error = await connectClickHouse(address).then(() => undefined, (error: unknown) => error)
    t.match(error, wanted, name)
  }
})

await t.test('an expired certificate is named, on either side', async t => {
  // It ends in the second in which it begins.
  certificate('past', { ca: 'authority', days: 0 })
  const { validToDate } = new X509Certificate(readFileSync(pem('past')))
  await until(() => Date.now() > validToDate.getTime() + 1000, 'it has expired')
  const expired = await secure({ cert: readFileSync(pem('past')), key: readFileSync(pem('past.key')) })
  t.teardown(() => expired.close())
  const address = `https://${credentials}@127.0.0.1:${expired.port}/?ca=${pem('authority')}`
  await t.rejects(connectClickHouse(address), { code: 'DESTINATION_REFUSED', message: /the certificate of the server has expired/, remedy: /Replace/ })
  await t.rejects(connectClickHouse(`${address}&certificate=${pem('past')}&key=${pem('past.key')}`), { code: 'DESTINATION_REFUSED', message: `the certificate of CN=past expired on ${validToDate.toISOString()}`, where: pem('past') })
})
