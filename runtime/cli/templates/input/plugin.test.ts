import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { conformInput } from '../../../../test/conform/input.ts'
import type { Source } from '../../../../test/conform/input.ts'
import plugin from './index.ts'

/** A source that holds rows and answers with the next few behind the first `after`. */
async function source (): Promise<Source> {
  const rows: Array<{ n: number }> = []
  const server = createServer((request, response) => {
    const after = Number(new URL(request.url ?? '', 'http://source').searchParams.get('after'))
    response.setHeader('connection', 'close').end(JSON.stringify(rows.slice(after, after + 7)))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    config: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, interval_ms: 5 },
    produce (from, to) {
      for (let n = from; n < to; n++) rows.push({ n })
    },
    async close () {
      await once(server.close(), 'close')
    }
  }
}

await t.test('it conforms', async t => {
  await conformInput(t, {
    plugin,
    replays: true,
    source,
    silent: source,
    // Nothing listens on that port.
    broken: async () => ({ config: { url: 'http://127.0.0.1:1' }, says: /cannot be read/ })
  })
})
