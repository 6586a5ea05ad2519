import t from 'tap'
import { Ledger } from '../../../runtime/intake/ledger.ts'
import type { Pages } from '../../../runtime/intake/ledger.ts'
import type { Json } from '../../../runtime/plugin.ts'

const filesCount = 100_000

await t.test('100,000 files are remembered, each with its version, and the checkpoint stays small', async t => {
  const saved = new Map<string, Json>()
  const ledger = await Ledger.open(undefined, pagesIn(saved))
  let most = 0
  for (let i = 0; i < filesCount; i++) {
    ledger.note({ name: `file-${i}.csv`, version: `v${i}` }, { at: i, crc: 0xfffffff0 + i % 16 }, i % 2 === 0)
    if (!ledger.full) continue
    most = Math.max(most, JSON.stringify(ledger.checkpoint).length)
    await ledger.settle()
  }
  t.ok(most < 20_000, `${most} characters`)
  t.ok([...saved.values()].every(page => JSON.stringify(page).length < 400_000), 'so do the pages')
  const again = await Ledger.open(JSON.parse(JSON.stringify(ledger.checkpoint)) as Json, pagesIn(saved))
  t.equal(again.size, filesCount)
  for (let i = 0; i < filesCount; i += 997) {
    const found = again.find(`file-${i}.csv`)
    t.match(found, { at: i, crc: 0xfffffff0 + i % 16, finished: i % 2 === 0 })
    t.ok(found?.isOf(`v${i}`) === true && !found.isOf(`v${i + 1}`))
  }
  t.equal(again.find('file-100000.csv'), undefined)
})

await t.test('a crash before or after any write of a page or a checkpoint forgets nothing that was durable', async t => {
  for (let crashAt = 1; crashAt < 40; crashAt += 3) {
    const saved = new Map<string, Json>()
    let durable: Durable = { checkpoint: undefined, files: 0 }
    for (let life = 0; life < 4; life++) durable = await live(saved, crashAt, durable, life)
    const last = await Ledger.open(durable.checkpoint, pagesIn(saved))
    t.ok(durable.files > 0)
    for (let i = 0; i < durable.files; i++) if (last.find(`f${i}`) === undefined) t.fail(`file ${i} of ${durable.files} is forgotten, crash at ${crashAt}`)
  }
})

await t.test('what is outdated is cleaned up, and a page that is missing is told', async t => {
  const saved = new Map<string, Json>()
  const ledger = await Ledger.open(undefined, pagesIn(saved))
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 500; i++) ledger.note({ name: `f${i}`, version: `${round}` }, { at: round, crc: 0 }, true)
    await ledger.settle()
    await ledger.tidy([], 1000)
  }
  t.ok(saved.size <= 4, `${saved.size} pages for 500 files`)
  t.equal((await Ledger.open(ledger.checkpoint, pagesIn(saved))).find('f3')?.at, 59)
  saved.clear()
  await t.rejects(Ledger.open(ledger.checkpoint, pagesIn(saved)), { code: 'BROKER_OFFSET_LOST', message: /page 1 of/ })
})

interface Durable { readonly checkpoint: Json | undefined, readonly files: number }

/** Notes files until a write fails; what is durable then. */
async function live (saved: Map<string, Json>, crashAt: number, before: Durable, life: number): Promise<Durable> {
  let writes = 0
  let durable = before
  const ledger = await Ledger.open(before.checkpoint, pagesIn(saved, () => ++writes >= crashAt))
  try {
    for (let noted = before.files; noted < before.files + 3000;) {
      ledger.note({ name: `f${noted++}`, version: String(life) }, { at: 1, crc: 1 }, true)
      if (!ledger.full) continue
      durable = { checkpoint: JSON.parse(JSON.stringify(ledger.checkpoint)) as Json, files: noted }
      await ledger.settle()
    }
  } catch {
    // The crash.
  }
  return durable
}

function pagesIn (saved: Map<string, Json>, crashes: () => boolean = () => false): Pages {
  return {
    read: key => Promise.resolve(saved.get(key)),
    write (key, page) {
      if (crashes()) return Promise.reject(new Error('crash'))
      saved.set(key, JSON.parse(JSON.stringify(page)) as Json)
      return Promise.resolve()
    }
  }
}
