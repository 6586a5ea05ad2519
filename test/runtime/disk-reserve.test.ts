// A small disk of its own, which only root can mount.

import t from 'tap'
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reserveOf } from '../../runtime/disk-reserve.ts'
import { range } from '../conform/broker.ts'
import { makeProject } from '../system/project.ts'
import { eventually } from '../waiting.ts'
import { numbered, schema, startShop } from './shop.ts'

const MEBIBYTE = 2 ** 20

await t.test('S8: below the reserve of free disk the input waits, says why, and goes on by itself with every row once', async t => {
  const project = makeProject(t.testdir(), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': numbered('trades') })
  mkdirSync(project.data)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', project.data]).status !== 0) return t.comment('Only root can mount a small disk')
  t.teardown(() => spawnSync('umount', ['-l', project.data]))
  const shop = await startShop(project, { diskReserveBytes: 2 ** 40 }, t)
  await eventually('rows', () => shop.rows('trades.ndjson').length > 100 ? true : undefined)
  const ballast = join(project.data, 'ballast')
  const { bavail, bsize } = statfsSync(project.data)
  writeFileSync(ballast, Buffer.alloc(bavail * bsize - 4 * MEBIBYTE))

  const waits = await eventually('the input waits', () => shop.status('trades').steps.find(({ step, ok }) => step === 'input.generate' && !ok))
  t.match(waits.reason, /The disk has 0\.00\d+ GB left, and 0\.006\d+ stay free \(disk_reserve_gigabytes\): the input waits/)
  t.ok(shop.status('trades').steps.find(({ step }) => step === 'outputs.file')?.ok, 'outputs go on')
  const before = shop.rows('trades.ndjson').length
  rmSync(ballast)
  await eventually('it goes on', () => shop.rows('trades.ndjson').length > before + 100 ? true : undefined)
  const rows = shop.rows('trades.ndjson')
  t.strictSame(rows, range(0, rows.length))
  await eventually('it is healthy', () => shop.status('trades').healthy ? true : undefined)
  // Before the disk goes.
  await shop.close()
})

await t.test('on a small disk the reserve is a tenth of it', async t => {
  t.equal(reserveOf(64 * MEBIBYTE, 2 ** 30), 6.4 * MEBIBYTE)
  t.equal(reserveOf(2 ** 40, 2 ** 30), 2 ** 30)
})
