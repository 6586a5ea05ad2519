import t from 'tap'
import { AttemptFailed, runPipeline } from '../../../runtime/jobs/pipeline-run.ts'
import { range } from '../../conform/broker.ts'
import { openShop } from '../shop.ts'
import { files, job, write } from './ledger.ts'
import type { Pipeline } from '../../../runtime/pipeline.ts'
import type { Run } from '../../../runtime/plugin.ts'
import type { RunContext } from '../../../runtime/jobs/pipeline-run.ts'
import type { StepCount } from '../../../runtime/jobs/record.ts'
import type { Shop } from '../shop.ts'

interface Ran { readonly rows: number, readonly rejected: number, readonly steps: readonly StepCount[], readonly lines: readonly string[] }

async function run (shop: Shop, { pipeline = shop.supervisor.files.pipelines.get('one'), signal = new AbortController().signal, ...given }: Partial<Run> & { pipeline?: Pipeline | undefined, signal?: AbortSignal } = {}): Promise<Ran> {
  let [rows, rejected] = [0, 0]
  let steps: readonly StepCount[] = []
  const lines: string[] = []
  const context: RunContext = {
    run: { id: 'r1', from: 0, to: 1, kind: 'manual', ...given },
    params: {},
    signal,
    log: { error () {}, warn () {}, info () {}, debug () {} },
    progress: done => {
      rows += done.rows ?? 0
      rejected += done.rejected ?? 0
    },
    line: line => { lines.push(line) },
    steps: now => { steps = now }
  }
  await runPipeline(shop.supervisor, pipeline as Pipeline, context)
  return { rows, rejected, steps, lines }
}

await t.test('a run reads what there is, drains, and ends; the next one goes on where it ended', async t => {
  const shop = await openShop(t, { ...files, 'pipelines/one.yaml': job('one', 'manual') })
  t.match(shop.status('one'), { state: 'scheduled', healthy: true }, 'it does not run by itself')
  const first = await run(shop)
  t.match(first, { rows: 250, steps: [{ step: 'input.ledger', rows: 250 }, { step: 'outputs.file', rows: 250 }] })
  t.ok(first.lines.some(line => line.includes('Reading the ledger') && line.includes('"id":"r1"')))
  t.strictSame(shop.rows('one.ndjson'), range(0, 250), 'also what the output would have flushed much later')
  t.match(await run(shop), { rows: 0 }, 'there is nothing new')
  write(shop.project.folder, '300')
  t.match(await run(shop), { rows: 50 })
  t.strictSame(shop.rows('one.ndjson'), range(0, 300))
})

await t.test('a backfill begins without a checkpoint and leaves that of the job alone', async t => {
  const shop = await openShop(t, { ...files, 'pipelines/one.yaml': job('one', 'manual') })
  await run(shop)
  t.match(await run(shop, { kind: 'backfill', id: 'b1' }), { rows: 250 })
  t.match(await run(shop, { kind: 'backfill', id: 'b1' }), { rows: 0 }, 'tried again, it goes on')
  t.match(await run(shop), { rows: 0 })
  t.strictSame(shop.rows('one.ndjson'), [...range(0, 250), ...range(0, 250)])
})

await t.test('a failure of the input ends the attempt, with the step, and the next one goes on', async t => {
  const shop = await openShop(t, { ...files, 'ledger.txt': '250 fail 150', 'pipelines/one.yaml': job('one', 'manual') })
  await t.rejects(run(shop), { message: /The ledger is torn/, step: 'input.ledger', lasting: false })
  write(shop.project.folder, '250')
  t.match(await run(shop), { rows: 50 })
  t.strictSame(shop.rows('one.ndjson'), range(0, 250))
})

await t.test('a failure of an output ends the attempt, with the step', async t => {
  const refusing = `
export default {
  kind: 'output', description: 'Refuses', guarantee: 'at least once', options: {},
  async open () { return { async write () { throw new Error('The shelf is full') }, async flush () {}, async close () {} } }
}
`
  const shop = await openShop(t, { ...files, 'plugins/outputs/refusing/index.ts': refusing, 'pipelines/one.yaml': job('one', 'manual').replace('outputs:', 'outputs:\n  - refusing') })
  await t.rejects(run(shop), { message: /The shelf is full/, step: 'outputs.refusing' })
  await t.rejects(run(shop), { message: /The shelf is full/, step: 'outputs.refusing' })
})

await t.test('a job without an input takes what its topic holds at the start', async t => {
  const shop = await openShop(t, { ...files, 'pipelines/one.yaml': job('one', 'manual').replace(/outputs:[^]*schedule/, 'schedule'), 'pipelines/two.yaml': job('one', 'manual').replace('input: ledger', '') })
  const two = shop.supervisor.files.pipelines.get('two')
  t.match(await run(shop, { pipeline: two }), { rows: 0 }, 'there is no topic yet')
  t.match(await run(shop), { rows: 250 })
  t.match(await run(shop, { pipeline: two }), { rows: 250 })
  t.strictSame(shop.rows('one.ndjson'), range(0, 250))
})

await t.test('the signal ends a run soon, and what it has read is settled', async t => {
  const shop = await openShop(t, { ...files, 'ledger.txt': '250 hang', 'pipelines/one.yaml': job('one', 'manual') })
  const stop = new AbortController()
  const going = run(shop, { signal: stop.signal })
  const watching = setInterval(() => { if (shop.supervisor.metrics().some(({ name, values }) => name === 'twolane_rows_total' && values.some(({ value }) => value === 250))) stop.abort() }, 50)
  await t.rejects(going, AttemptFailed)
  clearInterval(watching)
  t.strictSame(shop.rows('one.ndjson'), range(0, 250))
})

await t.test('a changed schema holds from the next run on', async t => {
  const shop = await openShop(t, { ...files, 'pipelines/one.yaml': job('one', 'manual') })
  await run(shop)
  shop.project.write('schemas/one.yaml', `${files['schemas/one.yaml']}  price: { type: float64, required: true, description: Price }\n`)
  t.match(await shop.supervisor.reload(), { outcome: 'applied', changes: [{ pipeline: 'one', change: 'changed' }] })
  write(shop.project.folder, '300')
  t.match(await run(shop), { rows: 50 })
  t.strictSame(shop.rows('one.ndjson'), range(0, 300), 'rows of both schemas')
})
