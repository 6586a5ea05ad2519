import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { openEmbedded } from '../../../runtime/broker/embedded.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { assign, conformBroker, makeTopic, numbersOf, range, readAll, rowsOf } from '../../conform/broker.ts'
import { until } from '../../conform/context.ts'
import { topic } from './writer.ts'
import type { ChildProcess } from 'node:child_process'
import type { Assignment } from '../../../runtime/broker/broker.ts'
import type { Orders } from './writer.ts'

const KILLS = 12
const endless = Number.MAX_SAFE_INTEGER
const writerFile = join(import.meta.dirname, 'writer.ts')

interface Writer {
  readonly process: ChildProcess
  /** All that it said. */
  readonly said: string[]
}

function startWriter (orders: Orders, before: readonly string[] = []): Writer {
  const [command, ...args] = [...before, process.execPath, writerFile, JSON.stringify(orders)]
  const child = spawn(command as string, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } })
  const said: string[] = []
  createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }).on('line', line => said.push(line))
  return { process: child, said }
}

async function kill ({ process: child }: Writer): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  child.kill('SIGKILL')
  await ended
}

/** The last row of which the writer said that it is durable. */
function acknowledged ({ said }: Writer): number {
  return Number(said.findLast(line => /^\d+$/.test(line)) ?? 0)
}

/** What the topic holds of each writer, in order. */
async function heldRows (folder: string): Promise<Map<string, number[]>> {
  const broker = openEmbedded({ folder })
  const rows = new Map<string, number[]>()
  for (const assignment of await assign(await broker.consumer(topic, 'test'), topic.partitions)) {
    for (const row of (await readAll(assignment)).batches.flatMap(batch => [...batch.rows()])) {
      const { n, writer, text } = row as { n: number, writer: string, text: string }
      if (text !== `row ${n} of ${writer} `.repeat(20)) throw new Error(`wrong payload: ${text}`)
      rows.set(writer, [...rows.get(writer) ?? [], n])
    }
  }
  await broker.close()
  return rows
}

async function checkpointOf (folder: string, writer: string): Promise<unknown> {
  const broker = openEmbedded({ folder })
  const { checkpoint } = await broker.producer(topic, writer)
  await broker.close()
  return checkpoint
}

await t.test('the embedded broker holds what every broker has to', async t => {
  await conformBroker(t, {
    place: t => {
      const folder = t.testdir()
      return { open: () => openEmbedded({ folder }) }
    }
  })
})

await t.test('after 12 kills every acknowledged row is there, once, and the checkpoint tells how many', async t => {
  const folder = t.testdir()
  const names = ['a', 'b']
  const durable = new Map(names.map(name => [name, 0]))
  for (let i = 0; i < KILLS / names.length; i++) {
    await Promise.all(names.map(async (name, j) => {
      const writer = startWriter({ folder, writer: name, to: endless })
      await until(() => writer.said.length > (i * 7 + j * 5) % 23, 'the writer appends')
      await kill(writer)
      t.ok(acknowledged(writer) > (durable.get(name) as number), 'it went on')
      durable.set(name, acknowledged(writer))
    }))
  }
  const held = await heldRows(folder)
  for (const name of names) {
    const rows = held.get(name) as number[]
    t.ok(rows.length >= (durable.get(name) as number), `${durable.get(name)} of ${rows.length} rows were acknowledged`)
    t.strictSame(rows, range(0, rows.length), 'none is lost, none is there twice, and they are in order')
    t.equal(await checkpointOf(folder, name), rows.length)
  }
})

await t.test('threads that open one new topic at once, and append to it, lose nothing', async t => {
  const folder = t.testdir()
  const threads = ['a', 'b', 'c'].map(writer => new Worker(writerFile, { workerData: { folder, writer, to: 2000 } satisfies Orders }))
  const codes = await Promise.all(threads.map(async thread => await once(thread, 'exit')))
  t.strictSame(codes, [[0], [0], [0]])
  const rows = await heldRows(folder)
  for (const writer of ['a', 'b', 'c']) t.strictSame(rows.get(writer), range(0, 2000), `writer ${writer}`)
})

await t.test('a full disk is said so, loses nothing, and appends go on when there is space again', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'twolane-small-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder]).status !== 0) return t.comment('Only root can mount a small disk')
  t.teardown(() => spawnSync('umount', ['-l', folder]))
  const ballast = join(folder, 'ballast')
  writeFileSync(ballast, Buffer.alloc(2 << 20))

  const writer = startWriter({ folder, writer: 'a', to: endless, again: true })
  t.teardown(() => kill(writer))
  await until(() => writer.said.filter(line => line === 'DISK_FULL').length > 2, 'the disk is full')
  t.strictSame(writer.said.filter(line => !/^\d+$|^DISK_FULL$/.test(line)), [], 'no other error')
  const before = acknowledged(writer)
  t.ok(before > 0)
  const said = writer.said.length
  rmSync(ballast)
  await until(() => acknowledged(writer) > before, 'it goes on')
  t.ok(writer.said.length > said)
  await kill(writer)
  const rows = (await heldRows(folder)).get('a') as number[]
  t.ok(rows.length >= acknowledged(writer))
  t.strictSame(rows, range(0, rows.length))
})

await t.test('a file that may not grow stops appends, loses nothing, and they go on when it may', async t => {
  if (spawnSync('prlimit', ['--version']).status !== 0) return t.comment('There is no prlimit here')
  const folder = t.testdir()
  const writer = startWriter({ folder, writer: 'a', to: endless, again: true }, ['prlimit', '--fsize=1000000:unlimited'])
  t.teardown(() => kill(writer))
  await until(() => writer.said.filter(line => /^[A-Z]/.test(line)).length > 2, 'the file is at its limit')
  t.strictSame([...new Set(writer.said.filter(line => /^[A-Z]/.test(line)))], ['BROKER_UNAVAILABLE'])
  const before = acknowledged(writer)
  t.equal(spawnSync('prlimit', ['--pid', String(writer.process.pid), '--fsize=unlimited:unlimited']).status, 0)
  await until(() => acknowledged(writer) > before, 'it goes on')
  await kill(writer)
  const rows = (await heldRows(folder)).get('a') as number[]
  t.ok(rows.length >= acknowledged(writer))
  t.strictSame(rows, range(0, rows.length))
})

await t.test('a damaged file gives its true rows or an error, never others', async t => {
  const folder = t.testdir()
  const own = makeTopic()
  const broker = openEmbedded({ folder })
  const producer = await broker.producer(own, 'a')
  for (let from = 0; from < 20_000; from += 1000) await producer.append([rowsOf(own, from, from + 1000, 700)])
  await broker.close()
  const file = join(folder, `${own.name}.db`)
  const whole = readFileSync(file)
  const errors = new Set<string>()
  for (let flip = 0; flip < 40; flip++) {
    const damaged = Buffer.from(whole)
    const at = Math.floor(whole.length * (flip + 0.37) / 40)
    damaged[at] = (damaged[at] as number) ^ (1 << flip % 8)
    writeFileSync(file, damaged)
    const error = await trueRows(folder, own)
    if (error !== undefined) errors.add(error)
  }
  t.strictSame([...errors], ['BROKER_FRAME_CORRUPT'])
})

/** Reads all rows; throws when one of them is not what was written. The code of the error that ended it. */
async function trueRows (folder: string, own: ReturnType<typeof makeTopic>): Promise<string | undefined> {
  const broker = openEmbedded({ folder })
  try {
    const [assignment] = await assign(await broker.consumer(own, 'test')) as [Assignment]
    for (let offset = 0; offset < 20_000; offset += 1000) {
      const rows = numbersOf((await assignment.read(offset, { rows: 1000, bytes: Infinity, to: offset + 1000 })).batches)
      if (rows.some((n, i) => n !== offset + i)) throw new Error(`wrong rows at ${offset}`)
    }
    return undefined
  } catch (error) {
    if (error instanceof PlatformError) return error.code
    throw error
  } finally {
    await broker.close()
  }
}

await t.test('a file that is no topic is refused with what to do', async t => {
  const folder = t.testdir({ 'quotes.db': 'this is a text and no database at all, however long it may be' })
  const broker = openEmbedded({ folder })
  await t.rejects(broker.producer(makeTopic(1, { name: 'quotes' }), 'a'), { code: 'BROKER_FRAME_CORRUPT', where: join(folder, 'quotes.db'), remedy: /backup/ })
  await broker.close()
})

await t.test('readers do not keep the write-ahead log from being used again', async t => {
  const folder = t.testdir()
  const own = makeTopic()
  const broker = openEmbedded({ folder })
  const producer = await broker.producer(own, 'a')
  const [assignment] = await assign(await openEmbedded({ folder }).consumer(own, 'test')) as [Assignment]
  for (let from = 0; from < 1_200_000; from += 20_000) {
    await producer.append([rowsOf(own, from, from + 20_000, 700)])
    await assignment.read(0, { rows: 1, bytes: Infinity })
  }
  const wal = statSync(join(folder, `${own.name}.db-wal`)).size
  t.ok(wal < 2 * 1000 * 16_384 + 2 ** 20, `it has ${wal >> 20} MiB`)
  await broker.close()
})

await t.test('a topic that gets more partitions keeps its rows and its offsets', async t => {
  const folder = t.testdir()
  const broker = openEmbedded({ folder })
  const one = makeTopic(1)
  await (await broker.producer(one, 'a')).append([rowsOf(one, 0, 10, 5)], { checkpoint: 10 })
  const four = { ...one, partitions: 4 }
  const producer = await broker.producer(four, 'a')
  t.equal(producer.checkpoint, 10)
  await producer.append([rowsOf(four, 10, 40, 5)])
  const rows: number[] = []
  for (const assignment of await assign(await broker.consumer(four, 'test'), 4)) rows.push(...(await readAll(assignment)).rows)
  t.strictSame(rows.sort((a, b) => a - b), range(0, 40))
  t.equal((await broker.inspect(one.name))?.partitions.length, 4)
  await broker.close()
})
