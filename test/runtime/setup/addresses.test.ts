import { createServer } from 'node:http'
import { connect } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { request } from 'undici'
import { addressPolicy, isPublic } from '../../../runtime/setup/address-policy.ts'
import { guardedAgent } from '../../../runtime/setup/guarded-lookup.ts'
import { hostsOf } from '../../../runtime/setup/hosts.ts'
import { guardNetwork } from '../../../runtime/setup/network-guard.ts'
import type { AddressInfo } from 'node:net'
import type { Lookup } from '../../../runtime/setup/guarded-lookup.ts'

/** A name server that knows a few names; each further question of a name gets the next answer. */
function resolver (names: Readonly<Record<string, readonly string[]>>): Lookup & { asked: number } {
  const lookup = (host: string, _options: object, callback: Parameters<Lookup>[2]): void => {
    const answers = names[host] ?? []
    const address = answers[Math.min(lookup.asked, answers.length - 1)]
    lookup.asked++
    process.nextTick(() => address === undefined ? callback(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), []) : callback(null, address.split(' ').map(one => ({ address: one, family: one.includes(':') ? 6 : 4 }))))
  }
  lookup.asked = 0
  return lookup
}

const refused = [
  'http://127.0.0.1/', 'http://127.1/', 'http://127.0.1/', 'http://2130706433/', 'http://0x7f000001/', 'http://0x7f.1/', 'http://0177.0.0.1/', 'http://017700000001/', 'http://0x7f.0x0.0x0.0x1/', 'http://127.255.255.254/',
  'http://0.0.0.0/', 'http://0/', 'http://[::]/', 'http://[::1]/', 'http://[0:0:0:0:0:0:0:1]/', 'http://[::ffff:127.0.0.1]/', 'http://[::ffff:7f00:1]/', 'http://[0:0:0:0:0:ffff:7f00:0001]/', 'http://[::127.0.0.1]/', 'http://[64:ff9b::7f00:1]/',
  'http://[64:ff9b:1::7f00:1]/', 'http://[2002:7f00:1::]/', 'http://[2001:0:7f00:1::]/', 'http://[fe80::1]/', 'http://[fc00::1]/', 'http://[fd00:ec2::254]/', 'http://[fec0::1]/', 'http://[ff02::1]/', 'http://[2001:db8::1]/', 'http://[3fff::1]/',
  'http://10.0.0.1/', 'http://10.255.255.255/', 'http://172.16.0.1/', 'http://172.31.255.255/', 'http://192.168.0.1/', 'http://192.168.1.254:9200/', 'http://100.64.0.1/', 'http://169.254.169.254/latest/meta-data/', 'http://169.254.170.2/', 'http://2852039166/',
  'http://0xa9fea9fe/', 'http://0251.0376.0251.0376/', 'http://[::ffff:169.254.169.254]/', 'http://[::ffff:a9fe:a9fe]/', 'http://192.0.0.192/', 'http://198.18.0.1/', 'http://203.0.113.1/', 'http://224.0.0.1/', 'http://255.255.255.255/', 'http://240.0.0.1/',
  'http://user@127.0.0.1/', 'http://example.com@127.0.0.1/', 'http://127.0.0.1:80\\@example.com/', 'http://①②⑦.⓪.⓪.①/', 'http://１２７.0.0.1/', 'http://127。0。0。1/', 'http://LOCALHOST/', 'http://localhost./', 'http://metadata.test/', 'http://mixed.test/', 'https://inner.test:8443/', 'ws://127.0.0.1/', 'wss://[::1]/feed'
]

await t.test('item 31: addresses', async t => {
  const names = resolver({ localhost: ['127.0.0.1'], 'localhost.': ['127.0.0.1'], 'metadata.test': ['169.254.169.254'], 'mixed.test': ['93.184.216.34 10.0.0.1'], 'inner.test': ['::ffff:10.1.2.3'] })

  await t.test(`${refused.length} forms of addresses that are not public are refused`, async t => {
    const agent = guardedAgent(addressPolicy([]), { lookup: names })
    t.teardown(() => agent.destroy())
    for (const url of refused) {
      const http = url.replace(/^ws/, 'http')
      names.asked = 0
      await t.rejects(request(http, { dispatcher: agent }), { code: 'REQUEST_REFUSED' }, url)
    }
    for (const address of ['93.184.216.34', '1.1.1.1', '2606:4700:4700::1111', '172.32.0.1', '100.128.0.1']) t.ok(isPublic(address), address)
  })

  await t.test('what connect_allow names may be connected to, and nothing beside it', async t => {
    const policy = addressPolicy(['10.1.0.0/16', 'db.internal:5432', '[fd00::]/8', '[::1]:8080', '192.168.1.7'])
    const refuses = (address: string, host = address, port = 443): boolean => policy.refusal(address, host, port) !== undefined
    t.notOk(refuses('10.1.2.3'))
    t.ok(refuses('10.2.0.1'))
    t.notOk(refuses('10.9.9.9', 'DB.internal', 5432))
    t.ok(refuses('10.9.9.9', 'db.internal', 5433))
    t.ok(refuses('10.9.9.9', 'db.internal.evil.test', 5432))
    t.notOk(refuses('fd12::1'))
    t.notOk(refuses('::1', '::1', 8080))
    t.ok(refuses('::1', '::1', 22))
    t.notOk(refuses('::ffff:192.168.1.7'))
    for (const wrong of ['10.0.0.0/33', 'http://x', 'a b', '', '10.0.0', 'host:99999', '*']) t.throws(() => addressPolicy([wrong]), { code: 'CONFIG_INVALID' }, wrong)
  })

  await t.test('a connection goes to the address that was checked, whatever the name server says next', async t => {
    const server = createServer((_, answer) => answer.end('inner'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    const rebinding = resolver({ 'rebind.test': ['93.184.216.34', '127.0.0.1'] })
    // The first answer is public and the second one is not: a second question would be the way in.
    const agent = guardedAgent(addressPolicy([]), { lookup: (host, options, callback) => { rebinding(host, options, callback) }, timeoutMs: 200 })
    t.teardown(() => agent.destroy())
    await t.rejects(request(`http://rebind.test:${port}/`, { dispatcher: agent }))
    t.equal(rebinding.asked, 1)
    await t.rejects(request(`http://rebind.test:${port}/`, { dispatcher: agent }), { code: 'REQUEST_REFUSED' })
    const allowed = guardedAgent(addressPolicy([`rebind.test:${port}`]), { lookup: rebinding })
    t.teardown(() => allowed.destroy())
    t.equal(await (await request(`http://rebind.test:${port}/`, { dispatcher: allowed })).body.text(), 'inner')
  })

  await t.test('a guarded thread connects with no library to what is not public', async t => {
    const server = createServer((_, answer) => answer.end('inner'))
    // Before the guard: it is none of the thread's own.
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const watch = guardNetwork({ policy: addressPolicy([]), lookup: resolver({ 'inner.test': ['127.0.0.1'], localhost: ['127.0.0.1'] }) })
    t.teardown(() => { watch.stop(); server.close() })
    const fails = async (socket: ReturnType<typeof connect>): Promise<unknown> => (await once(socket, 'error'))[0]
    t.match(await fails(connect(port, '127.0.0.1')), { code: 'REQUEST_REFUSED' })
    t.match(await fails(connect({ port, host: 'inner.test' })), { code: 'REQUEST_REFUSED' })
    t.match(await fails(connect(port)), { code: 'REQUEST_REFUSED' })
    t.match(await fails(connect('/run/some.sock')), { code: 'REQUEST_REFUSED' })
    t.match(await fails(connect({ path: '/run/some.sock' })), { code: 'REQUEST_REFUSED' })
    await t.rejects(request(`http://127.0.0.1:${port}/`), { code: 'REQUEST_REFUSED' })
    await t.rejects(fetch(`http://inner.test:${port}/`))
    const own = createServer((_, answer) => answer.end('own'))
    own.listen(0, '127.0.0.1')
    await once(own, 'listening')
    t.teardown(() => own.close())
    t.equal(await (await request(`http://127.0.0.1:${(own.address() as AddressInfo).port}/`)).body.text(), 'own', 'a simulator of the thread itself is reached')
    t.match(watch.events, [{ what: 'refused', detail: /this machine/ }])
  })

  await t.test('hosts are told from options, however they are written', async t => {
    t.same(hostsOf({ url: 'https://user:pass@A.example.com:8443/x', list: [{ endpoint: 'http://0x7f.1' }], gateway: 'simulator', host: 'db', path: '/a' }).map(({ host, port }) => `${host}:${port}`), ['a.example.com:8443', 'db:', '127.0.0.1:'])
    t.same(hostsOf({ brokers: 'a:9092,b:9092' }).map(({ host }) => host), ['a', 'b'])
  })
})
