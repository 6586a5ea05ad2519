import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { makeProject, root, startPlatform } from '../system/project.ts'
import { eventually } from '../waiting.ts'
import type { AddressInfo } from 'node:net'

const guide = readFileSync(join(root, 'plugins', 'README.md'), 'utf8')
const code = /^```ts\n(.*?)^```$/ms.exec(guide)?.[1] ?? ''

await t.test('the input of the guide has the lines that it says, and brings each change of its source once, also over a restart', async t => {
  const lines = Number(/^## Add an input in (\d+) lines$/m.exec(guide)?.[1])
  t.ok(code.trimEnd().split('\n').length <= lines, `${code.trimEnd().split('\n').length} lines`)

  let time = '2026-03-02T10:00:00Z'
  const server = createServer((_, response) => response.setHeader('connection', 'close').end(JSON.stringify({ time, rates: { EUR: 1.08, JPY: 150.5 } })))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const project = makeProject(t.testdir(), {
    'plugins/inputs/exchange-rates/index.ts': code,
    'schemas/rates.yaml': `
key: [currency]
event_time: time
fields:
  time: { type: timestamp(ms), required: true, description: Time of the rate }
  currency: { type: string, required: true, description: ISO 4217 }
  rate: { type: float64, required: true, description: Dollars }
`,
    'pipelines/rates.yaml': `
input:
  exchange-rates: { url: 'http://127.0.0.1:${(server.address() as AddressInfo).port}', seconds: 1 }
topic: rates
transforms: [mapping: rates]
outputs: [file: out.ndjson]
`
  })
  const written = (): string[] => readFileSync(join(project.data, 'out.ndjson'), 'utf8').trim().split('\n').map(line => {
    const { time, currency } = JSON.parse(line) as Record<string, string>
    return `${time?.slice(0, 10)} ${currency}`
  })
  const rows = (count: number): Promise<unknown> => eventually(`${count} rows`, () => {
    try {
      return written().length >= count || undefined
    } catch {
      return undefined
    }
  })

  const first = await startPlatform(project)
  t.teardown(() => first.kill())
  await rows(2)
  await first.kill()
  const second = await startPlatform(project)
  t.teardown(() => second.kill())
  await eventually('it reads again', async () => (await second.api('GET', '/readyz')).status === 200 || undefined)
  time = '2026-03-03T10:00:00Z'
  await rows(4)
  t.strictSame(written(), ['2026-03-02 EUR', '2026-03-02 JPY', '2026-03-03 EUR', '2026-03-03 JPY'])
  t.equal(await second.stop(), 0, second.output())
})
