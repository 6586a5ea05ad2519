// A backup while rows flow, then a restore into an empty folder, and on from there.

import t from 'tap'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { main } from '../../../runtime/cli/main.ts'
import { capture } from '../cli/capture.ts'
import { makeProject, startPlatform } from '../../system/project.ts'
import { eventually } from '../../waiting.ts'
import type { Test } from 'tap'
import type { Project, RunningPlatform } from '../../system/project.ts'

const token = 'a-token-for-tests-only'
const schema = `
event_time: at
fields:
  n: { type: int64, required: true }
  at: { type: timestamp(ms), required: true, cast: { unit: ms } }
`
const pipeline = `
input: { generate: { rate: 500, fields: { n: { counter: 0 }, at: { clock: ms } } } }
topic: ticks
transforms: [{ mapping: ticks }]
outputs:
  - streaming-database: {}
  - topic: doubled
  - lake: {}
    flush: { ms: 300 }
`
const second = `
topic: doubled
transforms: [{ mapping: doubled }]
outputs: [{ streaming-database: {} }]
`

interface Counted { readonly rows: number, readonly distinct: number, readonly least: number, readonly greatest: number }

async function counted (platform: RunningPlatform, table: string): Promise<Counted> {
  const [row] = await platform.query<Record<keyof Counted, string>>(`SELECT count() AS rows, uniqExact(n) AS distinct, min(n) AS least, max(n) AS greatest FROM ${table}`)
  return Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, Number(value)])) as unknown as Counted
}

/** Each row from the first to the last is there once. */
function checkWhole (t: Test, what: string, { rows, distinct, least, greatest }: Counted): void {
  t.equal(least, 0, `${what} begins with the first row`)
  t.equal(rows, distinct, `${what} has no row twice`)
  t.equal(rows, greatest + 1, `${what} lacks no row`)
}

async function command (project: Project, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<{ readonly code: number, readonly text: string }> {
  const { terminal, lines, complaints } = capture(project.folder, { TWOLANE_ADMIN_TOKEN: token, ...env })
  return { code: await main(args, terminal), text: [...lines, ...complaints].join('\n') }
}

await t.test('a backup of a running platform', async t => {
  const started: RunningPlatform[] = []
  t.teardown(() => Promise.all(started.map(platform => platform.kill())))
  const start = async (project: Project, env: Readonly<Record<string, string>> = {}): Promise<RunningPlatform> => {
    const platform = await startPlatform(project, env)
    started.push(platform)
    return platform
  }
  const folder = t.testdir()
  const place = join(folder, 'place')
  const project = makeProject(join(folder, 'project'), { 'schemas/ticks.yaml': schema, 'schemas/doubled.yaml': schema, 'pipelines/ticks.yaml': pipeline, 'pipelines/doubled.yaml': second })
  let platform = await start(project, { TWOLANE_BACKUP_TO: place })
  await eventually('rows in both tables', async () => ((await counted(platform, 'streaming.doubled').catch(() => undefined))?.rows ?? 0) > 500 ? true : undefined)
  await eventually('a file in the lake', () => readdirSync(join(project.data, 'lake', 'ticks'), { recursive: true }).some(name => String(name).endsWith('.parquet')) ? true : undefined)

  await t.test('is made while rows flow, and what has not changed is not copied again', async t => {
    const first = await command(project, ['backup'])
    t.equal(first.code, 0, first.text)
    const lakeFiles = (name: unknown): boolean => /^..\/[0-9a-f]{64}$/.test(String(name))
    const files = readdirSync(join(place, 'blobs'), { recursive: true }).filter(lakeFiles)
    const next = await command(project, ['backup'])
    t.equal(next.code, 0, next.text)
    t.match(next.text, /Backup \d{8}T\d{6}Z-[0-9a-f]{4}: [\d,]+ rows of tables/)
    const [one = '', two = ''] = readdirSync(join(place, 'backups')).sort().map(name => readFileSync(join(place, 'backups', name), 'utf8'))
    t.ok(files.length > 0 && files.every(name => one.includes(String(name).slice(3)) && two.includes(String(name).slice(3))), 'files of the lake are shared')
    t.match((await command(project, ['backup', '--list'])).text, /not tried/)
  })

  await t.test('can be brought back into a scratch place, which is gone afterwards', async t => {
    const { body: { backups: [newest] } } = await platform.api<{ backups: Array<{ id: string }> }>('GET', '/v1/backups')
    const verified = await command(project, ['backup', '--verify', newest?.id ?? ''])
    t.equal(verified.code, 0, verified.text)
    t.match(verified.text, /topics and \d+ rows of tables were brought back/)
    t.notOk(readdirSync(join(project.data, 'scratch')).includes('restore'))
    const { body } = await platform.api<{ backups: Array<{ check: { ok: boolean } | null }> }>('GET', '/v1/backups')
    t.equal(body.backups[0]?.check?.ok, true)
  })

  const before = await counted(platform, 'streaming.ticks')
  await platform.kill()

  await t.test('is refused by a data folder that holds something', async t => {
    const { code, text } = await command(project, ['restore', place])
    t.equal(code, 1)
    t.match(text, /The data folder is not empty/)
  })

  const restored = makeProject(join(folder, 'restored'), {})
  await t.test('is brought back into an empty one, with the files of the project', async t => {
    const { code, text } = await command(restored, ['restore', place])
    t.equal(code, 0, text)
    t.match(text, /All is back, and was compared/)
    t.equal(readFileSync(join(restored.folder, 'pipelines', 'ticks.yaml'), 'utf8'), pipeline)
  })

  await t.test('goes on from there: no row is lost, and none is there twice', async t => {
    platform = await start(restored)
    for (const table of ['streaming.ticks', 'streaming.doubled']) {
      const there = await eventually(`more rows in ${table} than before`, async () => {
        const now = await counted(platform, table).catch(() => undefined)
        return now !== undefined && now.rows > before.rows ? now : undefined
      })
      checkWhole(t, table, there)
    }
    await eventually('the lake goes on', async () => {
      const { text } = await command(restored, ['lake', '--json'])
      const [lake] = JSON.parse(text) as Array<{ files: Array<{ rows: number }> }>
      return (lake?.files.reduce((sum, { rows }) => sum + rows, 0) ?? 0) > before.rows ? true : undefined
    })
    t.equal(await platform.stop(), 0)
    const { text } = await command(restored, ['lake', 'ticks'])
    const paths = text.split('\n').map(line => `'${line}'`)
    const { startEmbedded } = await import('../../../runtime/clickhouse/embedded.ts')
    const { connectClickHouse } = await import('../../../runtime/clickhouse/client.ts')
    const engine = await startEmbedded({ folder: join(folder, 'reader'), log: { info () {}, warn () {}, error () {} } })
    t.teardown(() => engine.close())
    const client = await connectClickHouse(engine.url)
    const parts = await Promise.all(paths.map(path => client.rows<{ n: string }>(`SELECT n FROM file(${path}, 'Parquet')`)))
    await client.close()
    const numbers = parts.flat().map(({ n }) => Number(n))
    checkWhole(t, 'the lake', { rows: numbers.length, distinct: new Set(numbers).size, least: Math.min(numbers[0] ?? -1, 0), greatest: numbers.reduce((most, n) => Math.max(most, n), 0) })
  })

  await t.test('that is damaged is refused, by its manifest and by its blobs', async t => {
    const manifests = readdirSync(join(place, 'backups')).sort()
    const path = join(place, 'backups', manifests[0] ?? '')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"format":1', '"format":1 '))
    const empty = makeProject(join(folder, 'empty'), {})
    const torn = await command(empty, ['restore', `${place}/${manifests[0]?.replace('.json', '')}`])
    t.match(torn.text, /its manifest does not fit its hash/)
    const newest = JSON.parse(readFileSync(join(place, 'backups', manifests[1] ?? ''), 'utf8')) as { backup: { topics: Array<{ blob: string }> } }
    const blob = newest.backup.topics[0]?.blob ?? ''
    const file = join(place, 'blobs', blob.slice(0, 2), blob)
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    writeFileSync(file, bytes)
    const bad = await command(empty, ['restore', place])
    t.equal(bad.code, 1)
    t.match(bad.text, /BACKUP_DAMAGED|a blob of it is not what it was|Restored data has wrong|corrupt/i)
    const refused = await command(empty, ['status'], { TWOLANE_DATA: empty.data })
    t.equal(refused.code, 1)
    await t.rejects(start(empty), /A restore into this data folder has not ended/)
  })
})
