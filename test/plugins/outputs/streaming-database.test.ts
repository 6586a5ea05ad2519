import t from 'tap'
import plugin from '../../../plugins/outputs/streaming-database/index.ts'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { conformOutput } from '../../conform/output.ts'
import { Proxy } from './streaming-database/proxy.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())

let databases = 0

await t.test('it holds what every output has to hold', async t => {
  await conformOutput(t, {
    plugin,
    module: new URL('../../../plugins/outputs/streaming-database/index.ts', import.meta.url).href,
    source: new URL('streaming-database/rows.ts', import.meta.url).href,
    async destination () {
      const proxy = new Proxy(engine.url)
      const url = await proxy.listen()
      const database = `conform_${++databases}`
      const turn = (mode: 'refuse' | 'hang') => () => {
        proxy.set(mode)
        return () => proxy.set('pass')
      }
      return {
        config: { url, database, timeout_seconds: 60, models: 'none' },
        async rows () {
          const client = await connectClickHouse(engine.url)
          try {
            const exists = await client.rows('SELECT 1 FROM system.tables WHERE database = {database:String}', { query_params: { database } })
            if (exists.length === 0) return []
            const rows = await client.rows<{ n: string }>(`SELECT n FROM ${database}.rows ORDER BY _offset`)
            return rows.map(({ n }) => Number(n))
          } finally {
            await client.close()
          }
        },
        break: turn('refuse'),
        hang: turn('hang'),
        close: () => proxy.close()
      }
    },
    broken: () => ({ config: { url: 'http://127.0.0.1:1' }, says: /ClickHouse at http:\/\/127\.0\.0\.1:1: .*Check that ClickHouse runs/ })
  })
})
