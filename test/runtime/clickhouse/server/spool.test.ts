import { createClient } from '@clickhouse/client'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Order, Report } from '../../../../runtime/clickhouse/server.ts'
import { Spool } from '../../../../runtime/clickhouse/server/spool.ts'

const root = await mkdtemp(join(tmpdir(), 'twolane-spool-'))
t.teardown(async () => { await rm(root, { recursive: true, force: true }) })

for (const place of ['memory', 'disk']) {
  await t.test(`files of requests lie in ${place}, go with their request, and are cleared after a crash`, async t => {
    const options = { roomBytes: place === 'memory' ? 0 : Number.POSITIVE_INFINITY, pipes: 2 }
    const spool = await Spool.open(join(root, place), options)
    const file = await spool.file()
    for (const piece of ['\0ab', 'cd']) await file.write(Buffer.from(piece))
    await file.finish()
    t.equal(await readFile(file.path, 'latin1'), '\0abcd')
    await file.remove()
    t.notOk(existsSync(file.path))
    await writeFile(join(spool.folder, 'body-99'), 'left over from a crash')
    const again = await Spool.open(join(root, place), options)
    t.equal(again.folder, spool.folder)
    t.same((await readdir(again.folder)).filter(name => name.startsWith('body-')), [])
    again.close()
    t.notOk(existsSync(spool.folder))
  })
}

for (const [kind, name] of [['plain', "it's data"], ['like a pattern', "a{b,c}*?[d] 'e'"]] as const) {
  await t.test(`inserts and answers work from a spool on disk, in a folder whose name is ${kind}`, async t => {
    const folder = join(root, name)
    await mkdir(folder, { recursive: true })
    const child = fork(fileURLToPath(new URL('../../../../runtime/clickhouse/server.ts', import.meta.url)), { env: {}, execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    t.teardown(() => { child.kill('SIGKILL') })
    const limits = { readsMax: 2, writesMax: 2, waitingMax: 8, waitMs: 10_000, abandonedMax: 1, bodyBytesMax: 1_000_000 }
    const order: Order = { type: 'start', options: { folder, host: '127.0.0.1', port: 0, engineArgs: [], limits, spoolRoomBytes: Number.MAX_SAFE_INTEGER } }
    child.send(order)
    const [report] = await once(child, 'message') as [Report]
    t.match(report, { type: 'up' })
    const client = createClient({ url: `http://127.0.0.1:${report.type === 'up' ? report.port : 0}` })
    await client.command({ query: 'CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a' })
    await client.insert({ table: 't', values: [{ a: 1 }, { a: 2 }], format: 'JSONEachRow' })
    t.equal(await (await client.query({ query: 'SELECT sum(a) FROM t', format: 'CSV' })).text(), '3\n')
    await client.close()
    child.send({ type: 'close' } satisfies Order)
    await once(child, 'exit')
  })
}
