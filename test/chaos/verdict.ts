// After quiet has returned: where each row that was sent has come to.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openBroker } from '../../runtime/broker/open.ts'
import { kafkaDefaults } from '../../runtime/broker/kafka/options.ts'
import { openLake } from '../../runtime/lake/lakes.ts'
import { openLakeTable } from '../../runtime/lake/table.ts'
import { readLake } from '../../runtime/lake/read.ts'
import { readTopic } from '../../runtime/schema-file.ts'
import { rejectedTopic } from '../../runtime/schema.ts'
import { WAIT_MS_MAX } from '../waiting.ts'
import { handoff } from './faults.ts'
import { DAYS, otherThanSent, schema } from './rows.ts'
import type { Broker } from '../../runtime/broker/broker.ts'
import type { LakeConfig } from '../../runtime/lake/lakes.ts'
import type { Topic } from '../../runtime/schema.ts'
import type { World } from './world.ts'

export interface Verdict {
  readonly rejected: number
  readonly lost: number
  readonly doubled: number
  readonly repeated: number
  readonly violations: readonly string[]
}

const QUIET_MS_MAX = WAIT_MS_MAX
const LOOK_MS = 300
const SHOWN_MAX = 5
/** Outputs behind the mapping: each one refuses poison for itself. */
const REFUSING = ['outputs.streaming-database', 'outputs.file', 'outputs.http']

/** How often each row is somewhere, by its number; in the order in which the place has them, by partition. */
interface Place {
  readonly name: string
  readonly times: Map<number, number>
  readonly outOfOrder: number[]
  /** A row that is poison belongs there, too. */
  readonly raw: boolean
}

/** Waits until everything has arrived, ends the platform, and looks everywhere. Nothing is asked of the platform after `beforeEnd`. */
export async function judge (world: World, beforeEnd: () => Promise<void>): Promise<Verdict> {
  const violations: string[] = []
  const quiet = await isQuiet(world)
  if (quiet !== true) violations.push(`After ${QUIET_MS_MAX / 1000} s of quiet not all is delivered: ${quiet}`)
  else violations.push(...await handedOver(world))
  const places = [await table(world, 'data.trades'), await table(world, 'streaming.trades'), await table(world, 'warehouse.trades')]
  const [changed] = await world.query<{ other: string }>(`SELECT count() AS other FROM data.trades WHERE ${otherThanSent}`)
  if (changed?.other !== '0') violations.push(`${changed?.other} rows of data.trades are not as they were sent`)
  await beforeEnd()
  await world.stop()
  places.push(await lake(world), file(world), webhook(world))
  const { topic, rejected } = await topics(world)
  places.push(topic)
  const { lost, doubled, complaints } = compare(world, places)
  const refusals = checkRejected(world, rejected)
  violations.push(...complaints, ...refusals.complaints)
  for (const key of world.webhook.changedKeys.slice(0, SHOWN_MAX)) violations.push(`webhook: the key ${key} came with two bodies`)
  const repeated = [...world.webhook.times.values()].reduce((sum, times) => sum + times - 1, 0)
  return { rejected: rejected.size, lost: lost + refusals.lost, doubled: doubled + refusals.doubled, repeated, violations }
}

interface Topics { readonly topics: ReadonlyArray<{ readonly name: string, readonly partitions: ReadonlyArray<{ readonly partition: number, readonly next: number }>, readonly groups: ReadonlyArray<{ readonly group: string, readonly partition: number, readonly offset: number }> }> }

/** True once all outputs have taken all rows; else what is missing in the end. */
async function isQuiet (world: World): Promise<true | string> {
  const { feed } = world
  let last = ''
  for (const end = performance.now() + QUIET_MS_MAX; performance.now() < end; await sleep(LOOK_MS)) {
    try {
      // A run of the handoff that was cut short by a fault is followed by others below.
      const [found] = await world.query<{ rows: string }>('SELECT count() AS rows FROM data.trades')
      const { body: { topics } } = await world.api<Topics>('GET', '/v1/topics')
      const trades = topics.find(({ name }) => name === 'trades')
      const behind = trades?.groups.filter(({ partition, offset }) => offset < (trades.partitions.find(one => one.partition === partition)?.next ?? 0)) ?? []
      const { body: { failing } } = await world.api<{ failing: ReadonlyArray<{ name: string }> }>('GET', '/readyz')
      const unwell = failing.filter(({ name }) => name !== 'handoff')
      const good = feed.goodBelow(feed.made)
      if (trades?.groups.length === 8 && behind.length === 0 && Number(found?.rows) >= good && unwell.length === 0) return true
      last = `${found?.rows} of ${good} rows in data.trades; behind: ${JSON.stringify(behind)} of ${JSON.stringify(trades?.partitions)}; ${JSON.stringify(unwell)}`
    } catch (error) {
      last = String(error)
    }
  }
  return `${last}; ${world.platform?.output().slice(-2000)}`
}

interface Boundary { readonly days: ReadonlyArray<{ readonly day: string, readonly rows: number, readonly cleaned_at: number | null }>, readonly waiting: readonly unknown[] }

/** Until all days are in the warehouse alone. */
async function handedOver (world: World): Promise<string[]> {
  let last = ''
  for (const end = performance.now() + QUIET_MS_MAX; performance.now() < end; await sleep(LOOK_MS)) {
    try {
      const run = await handoff(world)
      while (['queued', 'running'].includes((await world.api<{ state: string }>('GET', `/v1/jobs/handoff/runs/${run}`)).body.state)) await sleep(LOOK_MS)
      const { body } = await world.api<Boundary>('GET', '/v1/boundary')
      const [left] = await world.query<{ n: string }>('SELECT count() AS n FROM streaming.trades')
      last = `${left?.n} rows are left in streaming.trades; ${JSON.stringify(body.days.map(({ day, rows, cleaned_at: cleanedAt }) => ({ day, rows, cleanedAt })))}; waiting: ${JSON.stringify(body.waiting)}`
      if (left?.n === '0' && body.days.length === DAYS && body.days.every(day => day.cleaned_at !== null)) return []
    } catch (error) {
      last = String(error)
    }
  }
  return [`After ${QUIET_MS_MAX / 1000} s not all days are handed over: ${last}`]
}

const lakeConfig: LakeConfig = { folder: 'lake', endpoint: null, region: null, path_style: null, access_key: null, secret_key: null, timeout_seconds: 60 }

function place (name: string, raw = false): Place {
  return { name, times: new Map(), outOfOrder: [], raw }
}

/** Adds a row that stands behind those before; `lastOf` keeps the last number of each symbol. */
function add ({ times, outOfOrder }: Place, n: number, symbol: string, lastOf: Map<string, number>): void {
  times.set(n, (times.get(n) ?? 0) + 1)
  if (n < (lastOf.get(symbol) ?? -1)) outOfOrder.push(n)
  lastOf.set(symbol, n)
}

async function table (world: World, name: string): Promise<Place> {
  const found = place(name)
  const lastOf = new Map<string, number>()
  const rows = await world.query<{ n: string, symbol: string }>(`SELECT n, symbol FROM ${name} ORDER BY _partition, _offset`).catch((error: unknown) => {
    // Without a handoff there is no such table.
    if (name.startsWith('warehouse')) return []
    throw error
  })
  for (const { n, symbol } of rows) add(found, Number(n), symbol, lastOf)
  return found
}

async function lake ({ project }: World): Promise<Place> {
  const found = place('lake', true)
  const lastOf = new Map<string, number>()
  const objects = await openLake(lakeConfig, { dataFolder: project.data, owner: 'chaos.' })
  try {
    const snapshot = await openLakeTable(objects, 'trades').read()
    for await (const batch of readLake(objects, snapshot, { topic: topicOfRows() })) for (const row of batch.rows()) add(found, Number(row['n']), String(row['symbol']), lastOf)
  } finally {
    objects.close()
  }
  return found
}

function file ({ project }: World): Place {
  const found = place('file')
  for (const name of readdirSync(project.data).filter(name => /^out-\d+\.ndjson$/.test(name)).toSorted()) {
    const lastOf = new Map<string, number>()
    for (const line of readFileSync(join(project.data, name), 'utf8').split('\n')) {
      if (line === '') continue
      const { n, symbol } = JSON.parse(line) as { n: number, symbol: string }
      add(found, n, symbol, lastOf)
    }
  }
  return found
}

/** As a receiver has it that remembers keys. */
function webhook ({ webhook }: World): Place {
  const found = place('webhook')
  for (const n of webhook.times.keys()) found.times.set(n, webhook.doubledBeyondKeys.has(n) ? 2 : 1)
  found.outOfOrder.push(...webhook.outOfOrder)
  return found
}

function topicOfRows (): Topic {
  return readTopic('schemas/trades.yaml', schema)
}

/** What the topic holds, and by row which outputs have refused it how often. */
async function topics ({ project, kafkaConfig }: World): Promise<{ readonly topic: Place, readonly rejected: Map<number, string[]> }> {
  const broker = await openBroker({ dataFolder: project.data, kafka: kafkaConfig === undefined ? undefined : { ...kafkaDefaults, ...kafkaConfig } })
  const topic = place('topic', true)
  const rejected = new Map<number, string[]>()
  try {
    const lastOf = new Map<string, number>()
    await eachRow(broker, topicOfRows(), row => add(topic, Number(row['n']), String(row['symbol']), lastOf))
    await eachRow(broker, rejectedTopic('trades'), ({ row, output, reason }) => {
      const { n } = (typeof row === 'string' ? JSON.parse(row) : row) as { n: number }
      rejected.set(n, [...rejected.get(n) ?? [], reason === '' ? `${String(output)} without a reason` : String(output)])
    })
  } finally {
    await broker.close()
  }
  return { topic, rejected }
}

async function eachRow (broker: Broker, topic: Topic, take: (row: Readonly<Record<string, unknown>>) => void): Promise<void> {
  const reader = await broker.reader(topic)
  try {
    for (let partition = 0; partition < reader.partitions; partition++) {
      const { first, next } = await reader.bounds(partition)
      for (let offset = first; offset < next;) {
        const found = await reader.read(partition, offset, { rows: 10_000, bytes: 2 ** 24, to: next })
        for (const row of found.batches.flatMap(batch => [...batch.rows()])) take(row)
        if (found.next <= offset) break
        offset = found.next
      }
    }
  } finally {
    await reader.close()
  }
}

/** The streaming database and the warehouse hold a part each; all others everything. */
function compare (world: World, places: readonly Place[]): { readonly lost: number, readonly doubled: number, readonly complaints: string[] } {
  const complaints: string[] = []
  const [lost, doubled] = [new Set<number>(), new Set<number>()]
  const seen = (n: number): string => places.map(({ name, times }) => `${name} ${times.get(n) ?? 0}`).join(', ')
  const complain = (name: string, what: string, rows: readonly number[]): void => {
    if (rows.length === 0) return
    complaints.push(`${name}: ${rows.length} rows ${what}: ${rows.slice(0, SHOWN_MAX).map(n => `${n} (${seen(n)})`).join('; ')}`)
  }
  for (const { name, times, outOfOrder, raw } of places) {
    const missing: number[] = []
    if (!['streaming.trades', 'warehouse.trades'].includes(name)) for (let n = 0; n < world.feed.made; n++) if (!times.has(n) && (raw || !world.feed.isPoison(n))) missing.push(n)
    const twice = [...times].filter(([, often]) => often > 1).map(([n]) => n)
    for (const n of missing) lost.add(n)
    for (const n of twice) doubled.add(n)
    complain(name, 'lost', missing)
    complain(name, 'doubled', twice)
    complain(name, 'that were never sent, or are poison', [...times.keys()].filter(n => n >= world.feed.made || (!raw && world.feed.isPoison(n))))
    complain(name, 'behind a later one of their key', outOfOrder)
  }
  return { lost: lost.size, doubled: doubled.size, complaints }
}

/** Each poison row has been refused by each output behind the mapping, with a reason, once. */
function checkRejected ({ feed }: World, rejected: ReadonlyMap<number, readonly string[]>): { readonly lost: number, readonly doubled: number, readonly complaints: string[] } {
  const complaints: string[] = []
  const [missing, twice, others]: [string[], string[], string[]] = [[], [], []]
  for (let n = 0; n < feed.made; n++) {
    const by = rejected.get(n) ?? []
    const wanted = feed.isPoison(n) ? REFUSING : []
    for (const output of wanted) if (!by.includes(output)) missing.push(`${n} by ${output}`)
    for (const output of wanted) if (by.filter(one => one === output).length > 1) twice.push(`${n} by ${output}`)
    for (const output of by) if (!wanted.includes(output)) others.push(`${n} by ${output}`)
  }
  for (const [what, rows] of [['not rejected', missing], ['rejected twice', twice], ['rejected that should not be', others]] as const) {
    if (rows.length > 0) complaints.push(`trades.rejected: ${rows.length} ${what}: ${rows.slice(0, SHOWN_MAX).join('; ')}`)
  }
  return { lost: missing.length, doubled: twice.length, complaints }
}
