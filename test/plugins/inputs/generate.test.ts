import t from 'tap'
import generate from '../../../plugins/inputs/generate/index.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext } from '../../conform/context.ts'
import { conformInput } from '../../conform/input.ts'
import type { Json, Row } from '../../../runtime/plugin.ts'

const fields = { n: { counter: 0 }, venue: 'XNAS', side: { choice: ['buy', 'sell', null] }, price: { walk: 100, step: 0.05 } }

await t.test('it conforms', async t => {
  await conformInput(t, {
    plugin: generate,
    replays: true,
    source: () => ({ config: { fields, rate: 0, batch_rows: 3 }, produce () {} }),
    silent: () => ({ config: { rate: 0.001 }, produce () {} }),
    broken: async () => ({ config: { fields: { n: { count: 1 } } }, says: /fields\.n is no template.*counter/ })
  })
})

await t.test('row n is the same whatever the batches and the stops before it', async t => {
  const whole = await rows({ fields, count: 500, rate: 0, batch_rows: 500 })
  const parts: Row[] = []
  let checkpoint: Json | undefined
  for (const stopAt of [1, 8, 120, 500]) {
    const context = fakeContext({ checkpoint })
    for await (const chunk of generate.read(configure(generate, { fields, count: 500, rate: 0, batch_rows: 7 }), context)) {
      parts.push(...chunk.batch.rows())
      checkpoint = chunk.checkpoint
      if (parts.length >= stopAt) context.stop()
    }
  }
  t.strictSame(parts, whole)
  t.equal(whole.length, 500)
})

await t.test('a template gives constants, counters, choices and walks', async t => {
  const made = await rows({ fields: { ...fields, t: { counter: 10, step: -2 }, low: { walk: 0.02, step: 0.01 } }, count: 1000, rate: 0 })
  t.ok(made.every(row => row['venue'] === 'XNAS'))
  t.same(made.slice(0, 3).map(row => row['t']), [10, 8, 6])
  t.same(new Set(made.map(row => row['side'])), new Set(['buy', 'sell', null]))
  t.equal(made[0]?.['price'], 100)
  for (let i = 1; i < made.length; i++) {
    const change = Math.abs(Number(made[i]?.['price']) - Number(made[i - 1]?.['price']))
    if (Math.abs(change - 0.05) > 1e-9) t.fail(`row ${i} moves by ${change}`)
  }
  t.ok(made.every(row => Number(row['low']) > 0), 'a walk from above zero stays there')
})

await t.test('another seed gives other rows', async t => {
  const [one, two] = await Promise.all([1, 2].map(seed => rows({ fields, seed, count: 100, rate: 0 })))
  t.notSame(one, two)
})

await t.test('a field may have any name', async t => {
  const [row] = await rows({ fields: JSON.parse('{"__proto__":1,"constructor":{"counter":5}}'), count: 1, rate: 0 })
  t.equal(Object.getPrototypeOf(row), Object.prototype)
  t.equal(row?.['constructor'], 5)
})

await t.test('a template without fields, a choice of nothing and a step of 0 are refused', async t => {
  for (const bad of [{}, { a: { choice: [] } }, { a: { counter: 0, step: 0 } }, { a: {} }, { a: [1] }]) {
    await t.rejects(rows({ fields: bad, count: 1 }), { code: 'CONFIG_INVALID' })
  }
})

async function rows (given: Readonly<Record<string, Json>>): Promise<Row[]> {
  const all: Row[] = []
  for await (const { batch } of generate.read(configure(generate, given), fakeContext())) all.push(...batch.rows())
  return all
}
