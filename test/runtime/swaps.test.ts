import t from 'tap'
import { checkRows, goesOn, numbered, openShop, running, schema } from './shop.ts'

const SWAPS = 25

await t.test('twenty-five swaps under load lose and double nothing on any output', async t => {
  const ids = ['a', 'b', 'c', 'd', 'e']
  const text = (id: string, rate: number): string => numbered(id, {
    rate, more: `  - file: { path: ${id}-copy.ndjson }
    name: copy
    flush: { rows: 300, ms: 5 }
`
  })
  const shop = await openShop(t, Object.fromEntries(ids.flatMap(id => [[`schemas/${id}.yaml`, schema], [`pipelines/${id}.yaml`, text(id, 200)]])))
  await running(shop, ...ids)
  for (let swap = 0; swap < SWAPS; swap += ids.length) {
    for (const id of ids) shop.project.write(`pipelines/${id}.yaml`, text(id, 201 + swap))
    const { outcome, reason, changes } = await shop.supervisor.reload()
    if (outcome !== 'applied' || changes.length !== ids.length || changes.some(({ inFlight }) => inFlight !== 'drained')) t.fail(`swap ${swap}: ${outcome} ${reason}`)
  }
  for (const id of ids) await goesOn(shop, `${id}-copy.ndjson`)
  await shop.close()
  for (const id of ids) t.equal(shop.rows(`${id}.ndjson`).length, shop.rows(`${id}-copy.ndjson`).length, 'both outputs have drained')
  await checkRows(t, shop, ...ids.flatMap(id => [`${id}.ndjson`, `${id}-copy.ndjson`]))
})
