import t from 'tap'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import plugin from '../../../../plugins/outputs/streaming-database/index.ts'
import { connectClickHouse } from '../../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../../runtime/clickhouse/embedded.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext } from '../../../conform/context.ts'
import { batchOf, topic } from './rows.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())

await t.test('a model that cannot be used stops neither rows nor the other models', async t => {
  const root = t.testdir({
    models: {
      'b_draft.sql': '-- a draft\nSELECT 1\n',
      'c_refused.sql': '-- table: rows\nSELECT nosuchfield FROM rows\n',
      'd_drop.sql': '-- table: rows\nDROP TABLE rows\n',
      'e_folder.sql': {},
      'f_others_drop.sql': '-- table: others\nDROP TABLE others\n',
      'g_others.sql': '-- table: others\nSELECT nosuchfield FROM others\n',
      'h_good.sql': '-- table: rows\nSELECT max(n) AS most FROM rows\n',
      'X-1.sql': '-- table: rows\nSELECT 1\n'
    }
  })
  const wrong = ['X-1.sql', 'b_draft.sql', 'c_refused.sql', 'd_drop.sql', 'e_folder.sql']
  const context = fakeContext({ topic, root, services: { clickhouse: engine.url } })
  const sink = await plugin.open(configure(plugin, { models: 'models' }), context)
  await sink.write(batchOf(0, 3))
  await sink.flush({ partition: 0, from: 0, to: 3 })
  await sink.close()
  t.strictSame(await client.rows('SELECT most FROM streaming.h_good'), [{ most: '2' }])
  const errors = context.logs.filter(({ level }) => level === 'error')
  t.strictSame(errors.map(({ fields }) => fields['file']), wrong)
  t.strictSame(new Set(errors.map(({ message }) => message)), new Set(['A model cannot be used, its view is not up to date']))
  t.match(errors.map(({ fields }) => fields['reason']), [/no name for a view/, /b_draft\.sql:1: the model does not say what it reads/, /c_refused\.sql:2: .*nosuchfield/, /d_drop\.sql:2: the model is not a SELECT/, /EISDIR/])
  t.equal(context.gauges['models_failed'], wrong.length)

  for (const file of wrong) rmSync(join(root, 'models', file), { recursive: true })
  const corrected = fakeContext({ topic, root, services: { clickhouse: engine.url } })
  await (await plugin.open(configure(plugin, { models: 'models' }), corrected)).close()
  t.equal(corrected.gauges['models_failed'], 0)
})

await t.test('a folder of models that cannot be read stops no row', async t => {
  const root = t.testdir({})
  writeFileSync(join(root, 'models'), 'a file')
  const context = fakeContext({ topic, root, services: { clickhouse: engine.url } })
  await (await plugin.open(configure(plugin, { models: 'models' }), context)).close()
  t.match(context.logs.find(({ level }) => level === 'error')?.fields, { file: join(root, 'models'), reason: /ENOTDIR/ })
  t.equal(context.gauges['models_failed'], 1)
})
