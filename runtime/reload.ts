// Applies files to running pipelines, all or nothing: everything new is prepared beside the old; then one pipeline after
// the other is swapped at a batch boundary; if a new one fails to begin, all old ones run again. One that fails while others
// have not been swapped yet may want what they hold, such as a port: it is tried once more behind them.

import { createHash } from 'node:crypto'
import { describe } from './errors.ts'
import { inTime } from './in-time.ts'
import type { FileProblem, Files } from './files.ts'
import type { ManagedPipeline } from './managed.ts'
import type { Pipeline } from './pipeline.ts'
import type { AppliedChange, Change, Outcome, Plan } from './receipt.ts'
import type { Topic } from './schema.ts'

/** What runs, and how to make more of it: the supervisor. */
export interface Stage {
  readonly running: Map<string, ManagedPipeline>
  readonly prepareMsMax: number
  paused (): ReadonlySet<string>
  /** Pipelines with a schedule, of the files that run now: they are not in `running`. */
  jobs (): readonly Pipeline[]
  /** Cancels the run of a job that there will be no more, and waits for its end. */
  endRun (id: string): Promise<void>
  /** A worker of the pipeline, which prepares; its revision is kept. */
  prepare (pipeline: Pipeline, schemas: ReadonlyMap<string, Topic>): Promise<ManagedPipeline>
  /** Undefined where a run of the job could be prepared, else why not. Few are tried at once. */
  tryJob (pipeline: Pipeline, schemas: ReadonlyMap<string, Topic>): Promise<string | undefined>
  /** Undefined once every step has begun, else why not. */
  begins (managed: ManagedPipeline): Promise<string | undefined>
  /** Starts a pipeline as it was. */
  launch (pipeline: Pipeline): Promise<void>
}

export interface Applied {
  readonly outcome: Outcome
  readonly reason: string
  readonly changes: readonly AppliedChange[]
}

/** What one step of a swap did, so that it can be undone. */
interface Swap {
  readonly id: string
  readonly old: ManagedPipeline | undefined
  readonly applied: AppliedChange
}

/** The new pipelines, by id, and what they are made of. */
interface Fresh {
  readonly fresh: Map<string, ManagedPipeline>
  readonly schemas: ReadonlyMap<string, Topic>
}

/** The same for processes that have the same files, whatever their environment sets. */
export function digestOf (files: Files): string {
  let digest = digests.get(files)
  if (digest === undefined) digests.set(files, digest = makeDigest(files))
  return digest
}

/** Files do not change once they are read, and are asked about each second. */
const digests = new WeakMap<Files, string>()

function makeDigest ({ pipelines, schemas, problems }: Files): string {
  const texts = [...pipelines.values()].map(({ id, text }) => [id, text])
  const hashes = [...schemas.values()].map(topic => [topic.name, topic.hash])
  return hash([texts.sort(), hashes.sort(), problems.map(({ message }) => message).sort()])
}

export function planFor ({ running, paused, jobs }: Stage, files: Files): Plan {
  const changes: Change[] = []
  const unchanged: string[] = []
  const resting = paused()
  const broken = new Set(files.problems.map(({ file }) => file))
  const isWanted = ({ id, enabled }: Pipeline): boolean => enabled && !resting.has(id)
  const wanted = [...files.pipelines.values()].filter(isWanted)
  const before = [...[...running.values()].map(({ pipeline }) => pipeline), ...jobs().filter(isWanted)]
  for (const { id, revision } of wanted) {
    const from = before.find(pipeline => pipeline.id === id)?.revision
    if (from === revision) unchanged.push(id)
    else changes.push({ pipeline: id, change: from === undefined ? 'added' : 'changed', from, to: revision })
  }
  for (const pipeline of before) {
    // A file that cannot be read is no wish to remove its pipeline.
    if (broken.has(pipeline.file)) unchanged.push(pipeline.id)
    else if (!wanted.some(({ id }) => id === pipeline.id)) changes.push({ pipeline: pipeline.id, change: 'removed', from: pipeline.revision, to: undefined })
  }
  return { hash: hash([changes, unchanged.sort(), files.problems.map(({ message }) => message)]), changes, unchanged, problems: files.problems }
}

/** Never throws for what is wrong with the files. */
export async function applyPlan (stage: Stage, files: Files, plan: Plan): Promise<Applied> {
  if (plan.problems.length > 0) return { outcome: 'rejected', reason: reasonOf(plan.problems), changes: [] }
  if (plan.changes.length === 0) return { outcome: 'unchanged', reason: '', changes: [] }
  const fresh = new Map<string, ManagedPipeline>()
  const preparing = await Promise.allSettled(plan.changes.map(async ({ pipeline: id, change }) => {
    const pipeline = files.pipelines.get(id)
    if (pipeline === undefined || change === 'removed') return
    const failure = pipeline.schedule === undefined ? await prepareStream(stage, pipeline, { fresh, schemas: files.schemas }) : await stage.tryJob(pipeline, files.schemas)
    if (failure !== undefined) throw new Error(`${id}: ${failure}`)
  }))
  const failures = preparing.filter(result => result.status === 'rejected').map(({ reason }) => describe(reason))
  if (failures.length > 0) {
    await Promise.all([...fresh.values()].map(managed => managed.stop()))
    return { outcome: 'rejected', reason: failures.join('\n'), changes: [] }
  }
  // What is removed goes first: another pipeline may take over its port or its file.
  for (const { pipeline: id } of plan.changes) {
    const pipeline = files.pipelines.get(id)
    if (pipeline?.schedule === undefined || !pipeline.enabled) await stage.endRun(id)
  }
  return swapAll(stage, plan.changes.toSorted((a, b) => Number(b.change === 'removed') - Number(a.change === 'removed')), { fresh, schemas: files.schemas })
}

async function prepareStream (stage: Stage, pipeline: Pipeline, { fresh, schemas }: Fresh): Promise<string | undefined> {
  const managed = await stage.prepare(pipeline, schemas)
  fresh.set(pipeline.id, managed)
  return inTime(managed.prepared, stage.prepareMsMax, () => late(stage))
}

/** Why a pipeline that is not prepared in time is refused. */
export function late ({ prepareMsMax }: Pick<Stage, 'prepareMsMax'>): string {
  return `it was not prepared within ${prepareMsMax / 1000} s`
}

async function swapAll (stage: Stage, changes: readonly Change[], made: Fresh): Promise<Applied> {
  const { running } = stage
  const { fresh } = made
  const swaps: Swap[] = []
  const again: ManagedPipeline[] = []
  const rolledBack = async (id: string, failure: string): Promise<Applied> => {
    await rollBack(stage, swaps, fresh)
    return { outcome: 'rolled_back', reason: `${id}: ${failure}`, changes: swaps.map(({ applied }) => applied) }
  }
  for (const [i, change] of changes.entries()) {
    const began = performance.now()
    const old = running.get(change.pipeline)
    const wasHealthy = old?.healthy ?? true
    const ending = await old?.stop()
    running.delete(change.pipeline)
    const inFlight = ending === undefined ? 'none' : ending.how === 'stopped' ? 'drained' : 'redelivered'
    const managed = fresh.get(change.pipeline)
    let failure: string | undefined
    if (managed !== undefined) {
      running.set(change.pipeline, managed)
      failure = await stage.begins(managed)
    }
    swaps.push({ id: change.pipeline, old, applied: { ...change, inFlight, ms: Math.round(performance.now() - began) } })
    // A pipeline that was ill before, say because its source is down, may be ill afterwards.
    if (managed === undefined || failure === undefined || !wasHealthy) continue
    const othersHold = changes.slice(i + 1).some(({ pipeline }) => running.has(pipeline))
    if (!othersHold || !hasFailedStep(managed)) return rolledBack(change.pipeline, failure)
    again.push(managed)
  }
  for (const managed of again) {
    const failure = await beginAgain(stage, managed, made)
    if (failure !== undefined) return rolledBack(managed.pipeline.id, failure)
  }
  return { outcome: 'applied', reason: '', changes: swaps.map(({ applied }) => applied) }
}

/** What hangs, or has ended its thread, waits for no other pipeline. */
function hasFailedStep (managed: ManagedPipeline): boolean {
  return managed.status(0).steps.some(({ state }) => state === 'backing_off')
}

/** Once the others have been swapped. Undefined once every step has begun, else why not. */
async function beginAgain (stage: Stage, managed: ManagedPipeline, made: Fresh): Promise<string | undefined> {
  const { pipeline } = managed
  await managed.stop()
  const failure = await prepareStream(stage, pipeline, made)
  const next = made.fresh.get(pipeline.id)
  if (failure !== undefined || next === undefined) return failure
  stage.running.set(pipeline.id, next)
  return stage.begins(next)
}

async function rollBack ({ running, launch }: Stage, swaps: readonly Swap[], fresh: ReadonlyMap<string, ManagedPipeline>): Promise<void> {
  await Promise.all([...fresh.values()].map(managed => managed.stop()))
  for (const { id, old } of swaps) {
    running.delete(id)
    if (old !== undefined) await launch(old.pipeline)
  }
}

function reasonOf (problems: readonly FileProblem[]): string {
  return problems.map(({ message }) => message).join('\n')
}

function hash (value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
}
