import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { conformOutput } from '../../../../test/conform/output.ts'
import plugin from './index.ts'

await t.test('it conforms', async t => {
  await conformOutput(t, {
    plugin,
    module: new URL('./index.ts', import.meta.url).href,
    destination: (_, dataFolder) => ({
      config: { path: 'rows.ndjson' },
      async rows () {
        const path = join(dataFolder, 'rows.ndjson')
        if (!existsSync(path)) return []
        return (await readFile(path, 'utf8')).split('\n').filter(line => line !== '').map(line => Number(JSON.parse(line).n))
      }
    }),
    broken: () => ({ config: { path: 'no/such/folder/rows.ndjson' }, says: /no\/such\/folder/ })
  })
})
