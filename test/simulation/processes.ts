// The processes of a world: the one that runs the pipeline, with a thread for each of its lives, and the control side,
// which hands days over and compacts the lake. One that has crashed is started again; of one that is stopped another one
// may take the place, and it may wake up and go on for a moment.

import { PlatformError } from '../../runtime/errors.ts'
import { inTime } from '../../runtime/in-time.ts'
import { limits } from '../../runtime/limits.ts'
import { openLakeTable } from '../../runtime/lake/table.ts'
import { mergesOf } from '../../runtime/lake/merge.ts'
import { removeUnlisted } from '../../runtime/lake/clean.ts'
import { PipelineMetrics } from '../../runtime/metrics.ts'
import { PipelineRun } from '../../runtime/run.ts'
import { alignCopies } from '../../runtime/warehouse/copies.ts'
import { datasetsOf } from '../../runtime/warehouse/datasets.ts'
import { withDataset } from '../../runtime/warehouse/dataset-lock.ts'
import { handOver } from '../../runtime/warehouse/handoff.ts'
import { SeenFlips } from '../../runtime/warehouse/seen-flips.ts'
import { BEGIN, pipelineOf, topic } from './project.ts'
import { pluginsOf, putFile } from './plugins.ts'
import { isDead } from './virtual-time.ts'
import type { Logger } from '../../runtime/plugin.ts'
import type { Dataset } from '../../runtime/warehouse/datasets.ts'
import type { Process } from './virtual-time.ts'
import type { World } from './world.ts'

const STOP_MS_MAX = 10_000

function logOf (world: World): Logger {
  const log = (level: string) => (fields: object, message: string): void => { world.faults.note(`${level}: ${message} ${JSON.stringify(fields).slice(0, 200)}`) }
  return { error: log('error'), warn: log('warn'), info: () => {}, debug: () => {} } as unknown as Logger
}

/** Keeps a process alive until the world ends. */
export class Keeper {
  readonly #world: World
  readonly #name: string
  readonly #main: (world: World, process: Process) => Promise<void>
  #lives = 0
  #process: Process | undefined

  constructor (world: World, name: string, main: (world: World, process: Process) => Promise<void>) {
    this.#world = world
    this.#name = name
    this.#main = main
  }

  start (): void {
    const process: Process = { name: `${this.#name}#${++this.#lives}`, dead: false, stoppedUntil: 0 }
    this.#process = process
    const { time, faults } = this.#world
    time.within(process, () => {
      faults.note('starts')
      this.#main(this.#world, process).catch((error: unknown) => this.#world.fail(error))
    })
  }

  /** Whether the process was its own. */
  crash (process: Process): boolean {
    if (process !== this.#process) return false
    process.dead = true
    this.#world.time.after(this.#world.random() * 3000, () => this.start(), undefined)
    return true
  }

  pause (process: Process, ms: number): boolean {
    if (process !== this.#process) return false
    const { time, random } = this.#world
    process.stoppedUntil = time.now + ms
    if (random() < 0.5) {
      time.after(random() * ms, () => { if (this.#process === process && !process.dead) this.start() }, undefined)
      // It goes on as if nothing had happened, until somebody sees that there are two.
      time.after(ms + random() * 3000, () => { if (this.#process !== process) process.dead = true }, undefined)
    }
    return true
  }
}

/** The pipeline: reloads now and then, as the supervisor does it. */
export async function platform (world: World, process: Process): Promise<void> {
  const { time, faults, random, flush } = world
  const clock = { now: () => Date.now() }
  const find = pluginsOf({ ...world.plugins })
  const log = logOf(world)
  const prepared = async (thread: Process): Promise<PipelineRun> => {
    const pipeline = pipelineOf(++world.revisions, flush)
    const revisions = async (revision: string): Promise<{ pipeline: typeof pipeline, schemas: ReadonlyMap<string, typeof topic> }> => ({ pipeline: { ...pipeline, revision }, schemas: world.schemas })
    const run = new PipelineRun({
      root: '',
      dataFolder: '',
      pipeline,
      schemas: world.schemas,
      clickhouse: undefined,
      warehouse: undefined,
      broker: world.broker,
      clock,
      metrics: new PipelineMetrics(),
      watch: { enter () {}, leave () {}, begin () {}, end () {} },
      limits,
      log: () => log,
      health: () => {},
      find
    }, revisions)
    await time.within(thread, () => run.prepare())
    return run
  }
  while (!isDead(process)) {
    const thread: Process = { name: `${process.name}.${world.revisions + 1}`, parent: process, dead: false, stoppedUntil: 0 }
    const run = await prepared(thread)
    const ended = time.within(thread, () => run.run(() => {}))
    ended.catch((error: unknown) => faults.note(`the thread has ended: ${String(error)}`))
    const over = await Promise.race([time.sleep(world.reloadMs * (0.5 + random())), world.stopping, ended.catch(() => {})]).then(() => world.stopped)
    faults.note('reload')
    run.stop()
    const late = await inTime(ended, STOP_MS_MAX, () => 'late')
    thread.dead = true
    if (late !== undefined && over) world.fail(new Error(`the pipeline did not stop: ${late}`))
    if (over) return world.onStopped()
  }
}

/** The control side: handoff and compaction, one after the other. */
export async function control (world: World, process: Process): Promise<void> {
  const { time, faults, random } = world
  const seen = new SeenFlips()
  while (!isDead(process)) {
    await time.sleep(world.handoffMs * (0.5 + random()))
    try {
      await handoff(world, seen)
      world.handoffs++
      if (random() < 0.5) await compact(world)
    } catch (error) {
      faults.note(`a job has failed: ${String(error)}`)
      if (!(error instanceof PlatformError)) world.fail(error)
    }
  }
}

async function handoff (world: World, seen: SeenFlips): Promise<void> {
  const { time, faults } = world
  const signal = new AbortController().signal
  const pipelines = [pipelineOf(world.revisions, world.flush)]
  const lanes = world.lanes()
  const dataset = datasetsOf(pipelines, world.schemas).get('quotes') as Dataset
  await alignCopies(lanes, signal)
  // The lock is one of the process, and goes with it.
  const failed = await withDataset(`quotes of ${time.process?.name} in ${world.id}`, () => handOver({
    root: '',
    dataFolder: '',
    run: 'run',
    broker: world.broker,
    pipelines: () => pipelines.map(pipeline => ({ ...pipeline, outputs: pipeline.outputs.filter(({ plugin }) => plugin !== 'lake') })),
    lanes,
    log: logOf(world),
    signal,
    realtimeDays: 1,
    today: BEGIN + 12 * 3_600_000,
    graceMs: world.graceMs,
    seen,
    now: () => Date.now(),
    only: {},
    onRows: () => {},
    onWaiting: () => {}
  }, dataset), signal)
  for (const error of failed) {
    faults.note(`a day has failed: ${String(error)}`)
    // A fault is unavailable or fenced; rows that do not fit their certificate are rows that somebody has changed.
    if (!(error instanceof PlatformError) || error.code === 'HANDOFF_UNVERIFIED') world.fail(error)
  }
}

async function compact (world: World): Promise<void> {
  const { bucket, random } = world
  const objects = bucket.open()
  const manifest = openLakeTable(objects, topic.name, () => Date.now())
  const { files } = await manifest.read()
  for (const merge of mergesOf(files, { before: Date.now() - random() * 10_000, targetRows: 1 + random() * 100, targetBytes: 1e9 })) {
    const numbers: number[] = []
    for (const { name } of merge) numbers.push(...JSON.parse(Buffer.from(await objects.read(name) ?? []).toString()) as number[])
    const [first, last] = [merge[0], merge.at(-1)] as [typeof merge[0], typeof merge[0]]
    const place = { name: `quotes/date=2024-01-10/quotes-${first?.partition}-${first?.from}-${last?.to}-${Date.now().toString(36)}.parquet`, partition: first?.partition ?? 0, from: first?.from ?? 0, to: last?.to ?? 0 }
    const file = await putFile(bucket, objects, { ...place, ingest: { from: Math.min(...merge.map(({ ingest }) => ingest.from)), to: Math.max(...merge.map(({ ingest }) => ingest.to)) } }, numbers)
    await manifest.commit({ add: [file], remove: merge.map(({ name }) => name) })
  }
  await removeUnlisted(objects, manifest, { now: () => Date.now(), signal: new AbortController().signal })
}
