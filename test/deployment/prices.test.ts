import t from 'tap'
import { readPrices, size } from '../bench/prices.ts'

const prices = readPrices()
const measured = { cpuSecondsAMillion: 8, topicBytes: 70, tableBytes: 25, lakeBytes: 15, memoryMiB: 900 }

await t.test('the price list is complete, and says whose prices these are', async t => {
  t.match(prices, { provider: String, prices_of: /^\d{4}/, currency: /^[A-Z]{3}$/, budget_a_month: 200 })
  const { name, choices } = prices.machine as typeof prices.machine & { readonly name: string }
  t.ok(choices.some(choice => choice.name === name), 'the machine is one of the choices')
  t.strictSame(choices.map(choice => choice.price_an_hour), choices.map(choice => choice.price_an_hour).sort((a, b) => a - b))
})

await t.test('more rows need no smaller machine and cost no less, up to where no machine is large enough', async t => {
  const sizes = [1e6, 1e7, 1e8, 1e9].map(rowsADay => size(rowsADay, measured, prices))
  for (const [i, next] of sizes.slice(1).entries()) {
    t.ok(next.diskGigabytes >= sizes[i]!.diskGigabytes && !(next.costs.all < sizes[i]!.costs.all))
    t.ok((next.machine?.cores ?? Infinity) >= (sizes[i]!.machine?.cores ?? 0))
  }
  t.equal(size(1e12, measured, prices).machine, undefined)
  t.equal(size(1e6, { ...measured, memoryMiB: 3000 }, prices).machine?.memory_gigabytes, 8)
})
