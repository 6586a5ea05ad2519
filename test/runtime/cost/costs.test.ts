import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { UsageLedger } from '../../../runtime/cost/ledger.ts'
import { parsePrices, priceOf, readPrices } from '../../../runtime/cost/prices.ts'
import { costReport } from '../../../runtime/cost/report.ts'
import { whatIf } from '../../../runtime/cost/what-if.ts'
import { root } from '../../system/project.ts'
import type { PlatformError } from '../../../runtime/errors.ts'
import type { Used } from '../../../runtime/cost/ledger.ts'

const text = readFileSync(join(root, 'config', 'cost.yaml'), 'utf8')
const prices = parsePrices(text)
const DAY = 86_400_000
const HOUR = 3_600_000

await t.test('prices that are wrong are told with line and column', async t => {
  const wrong = text.replace('name: m7i.large\n', 'name: m7i.larg\n')
  t.throws(() => parsePrices(wrong), { code: 'CONFIG_INVALID', message: /config\/cost\.yaml:\d+:\d+ machine\.name: none of the choices is called "m7i\.larg".*m7i\.large/ })
  const broken = text.replace('price_a_gigabyte_month: 0.08', 'price_a_gigabyte_month: cheap').replace('currency: USD', 'currency: dollars').replace('budget_a_month', 'budget')
  const error = await Promise.resolve().then(() => parsePrices(broken)).catch((error: unknown) => error) as PlatformError
  t.strictSame(error.problems?.map(({ path, line, column }) => `${path} ${line > 0 && column > 0}`).sort(), ['budget true', 'budget_a_month true', 'currency true', 'disk.price_a_gigabyte_month true'])
  t.throws(() => parsePrices(text.replace('name: m7i.xlarge', 'name: m7i.large')), { message: /stands twice/ })
  await t.rejects(readPrices(t.testdir()), { code: 'NOT_FOUND', remedy: /./ })
})

const used = (day: string, kind: Used['kind'], name: string, amount: number): Used => ({ day, kind, name, amount })

await t.test('the machine is paid whether it works or not, and what nobody uses is named', async t => {
  const now = Date.UTC(2024, 5, 11)
  const days = Array.from({ length: 10 }, (_, i) => `2024-06-${String(i + 1).padStart(2, '0')}`)
  const report = costReport({
    prices,
    now,
    began: Date.UTC(2024, 0, 1),
    datasetOf: new Map([['quotes', 'quotes']]),
    used: days.flatMap(day => [used(day, 'hours', 'platform', 24), used(day, 'cpu_seconds', 'pipeline quotes', 8640), used(day, 'cpu_seconds', 'clickhouse', 4320), used(day, 'disk_byte_hours', 'streaming quotes', 24 * 10e9), used(day, 'sent_bytes', 'dataset quotes', 1e9)])
  })
  const machine = report.parts.filter(({ kind }) => kind === 'machine')
  const hour = 0.1008
  const near = (a: number, b: number, what: string): void => { t.ok(Math.abs(a - b) < 1e-6 * Math.max(1, Math.abs(b)), `${what}: ${a}, not ${b}`) }
  near(machine.reduce((sum, { amount }) => sum + amount, 0), 240 * hour, 'so far')
  near(machine.reduce((sum, { forecast }) => sum + forecast, 0), 720 * hour, 'the month')
  near(machine.find(({ part }) => part === 'pipeline quotes')?.amount ?? 0, 0.05 * 240 * hour, 'a twentieth of two cores')
  t.equal(machine.find(({ unallocated }) => unallocated)?.part, 'machine, idle')
  const disk = report.parts.find(({ kind }) => kind === 'disk')
  near(disk?.amount ?? 0, 10 * 0.08 / 3, 'a third of the month')
  near(disk?.forecast ?? 0, 10 * 0.08, 'what is held stays')
  t.equal(report.parts.find(({ kind }) => kind === 'traffic')?.forecast, 0, '30 of 100 free gigabytes')
  near(report.so_far, report.parts.reduce((sum, { amount }) => sum + amount, 0), 'all parts')
  t.match(report.datasets, [{ dataset: 'quotes', cpu_seconds: 86_400, disk_bytes: 10e9, sent_bytes: 1e10 }])
  near(report.datasets[0]?.amount ?? 0, 0.05 * 240 * hour + 10 * 0.08 / 3, 'of the dataset')
})

await t.test('a platform that is younger than the month pays from its first day, and what grows grows on', async t => {
  const now = Date.UTC(2024, 5, 11)
  const report = costReport({
    prices: { ...prices, disk: { ...prices.disk, gigabytes: 100 } },
    now,
    began: now - 2 * DAY,
    datasetOf: new Map(),
    used: [used('2024-06-09', 'hours', 'platform', 24), used('2024-06-10', 'hours', 'platform', 24), used('2024-06-09', 'disk_byte_hours', 'lake quotes', 24e9), used('2024-06-10', 'disk_byte_hours', 'lake quotes', 48e9)]
  })
  t.ok(Math.abs(report.parts.filter(({ kind }) => kind === 'machine').reduce((sum, { amount }) => sum + amount, 0) - 48 * 0.1008) < 1e-9)
  const lake = report.parts.find(({ part }) => part === 'lake, disk')
  // 2 GB now and one more a day: 20 days hold 240 GB days more.
  t.ok(Math.abs((lake?.forecast ?? 0) - (lake?.amount ?? 0) - 240 * 0.08 / 30) < 1e-9)
  t.match(report.parts.find(({ part }) => part === 'disk, free'), { unallocated: true })
})

await t.test('traffic above what is free is shared by what was sent', async t => {
  const now = Date.UTC(2024, 5, 11)
  const { parts } = costReport({ prices, now, began: 0, datasetOf: new Map(), used: [used('2024-06-03', 'sent_bytes', 'dataset a', 150e9), used('2024-06-03', 'sent_bytes', 'dataset b', 50e9), used('2024-06-03', 'sent_bytes', 'token x', 200e9)] })
  t.strictSame(parts.filter(({ kind }) => kind === 'traffic').map(({ part, amount }) => [part, Math.round(amount * 1000) / 1000]), [['dataset a, traffic', 6.75], ['dataset b, traffic', 2.25]])
})

await t.test('a longer realtime_period costs what its days take more than in the warehouse', async t => {
  const days = [{ dataset: 'quotes', streaming: 3e9, warehouse: 1e9 }]
  const cases = whatIf({ prices, days, realtimeDays: 7, sameDisk: true })
  t.match(cases.find(({ realtime_period: period }) => period === '7d'), { amount: 0 })
  t.match(cases.find(({ realtime_period: period }) => period === '14d'), { bytes: 14e9, datasets: [{ dataset: 'quotes', bytes: 14e9 }] })
  t.ok(Math.abs((cases.find(({ realtime_period: period }) => period === '14d')?.amount ?? 0) - 14 * 0.08) < 1e-9)
  t.match(whatIf({ prices, days, realtimeDays: 7, sameDisk: false }).find(({ realtime_period: period }) => period === '14d'), { bytes: 21e9 })
})

await t.test('the price of an answer is its share of the machine and its bytes', async t => {
  t.equal(priceOf(prices, { cpuSeconds: 7200, bytesSent: 0 }), 0.1008)
  t.equal(priceOf(prices, { cpuSeconds: 0, bytesSent: 1e9 }), 0.09)
})

await t.test('what was used is a row a day, kind and name, with bounds', async t => {
  const database = new DatabaseSync(':memory:')
  t.teardown(() => database.close())
  const ledger = new UsageLedger(database)
  const now = Date.UTC(2024, 5, 11)
  t.equal(ledger.began(now), now)
  t.equal(ledger.began(now + HOUR), now)
  ledger.add([{ kind: 'sent_bytes', name: 'dataset a', amount: 5 }], now)
  ledger.add([{ kind: 'sent_bytes', name: 'dataset a', amount: 2 }, { kind: 'sent_bytes', name: 'dataset b', amount: NaN }, { kind: 'hours', name: 'platform', amount: -1 }], now + HOUR)
  t.strictSame(ledger.between('2024-06-11', '2024-06-12').map(one => ({ ...one })), [{ day: '2024-06-11', kind: 'sent_bytes', name: 'dataset a', amount: 7 }])
  ledger.add(Array.from({ length: 2100 }, (_, i) => ({ kind: 'cpu_seconds' as const, name: `pipeline ${i}`, amount: 1 })), now + DAY)
  const next = ledger.between('2024-06-12', '2024-06-13')
  t.equal(next.length, 2001)
  t.equal(next.find(({ name }) => name === 'others')?.amount, 100)
  ledger.add([], now + 500 * DAY)
  t.equal(ledger.between('2024-01-01', '2025-01-01').length, 0, 'old days go')
})
