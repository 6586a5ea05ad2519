// A pipeline as one run of a job: its thread from the start to where its outputs have drained.

import { inTime } from '../in-time.ts'
import { messageOf } from './run-log.ts'
import type { MetricObject } from 'prom-client'
import type { Pipeline } from '../pipeline.ts'
import type { Ending } from '../pipeline-worker.ts'
import type { Supervisor } from '../supervisor.ts'
import type { StepCount } from './record.ts'
import type { Task, TaskContext } from './task.ts'

const LOOK_MS = 500

/** What the runtime's own jobs get beyond a task's context. */
export interface RunContext extends TaskContext {
  /** A line of the pipeline's thread, as JSON. */
  line (line: string): void
  /** What the steps of this attempt have done so far. */
  steps (steps: readonly StepCount[]): void
}

/** Why an attempt failed. */
export class AttemptFailed extends Error {
  /** Empty: not known. */
  readonly step: string
  /** Trying again cannot help. */
  readonly lasting: boolean

  constructor (reason: string, { step = '', lasting = false }: { readonly step?: string | undefined, readonly lasting?: boolean | undefined } = {}) {
    super(reason)
    this.name = 'AttemptFailed'
    this.step = step
    this.lasting = lasting
  }
}

/** A job that is a pipeline. */
export function pipelineTask (supervisor: Supervisor, pipeline: Pipeline): Task | undefined {
  const { id, description, schedule } = pipeline
  return schedule === undefined ? undefined : { id, description, schedule, run: context => runPipeline(supervisor, pipeline, context) }
}

/**
 * Runs a pipeline once: until its input has ended and its outputs have what its topic held then, or until the context's
 * signal. Throws AttemptFailed. What it has done counts as done by the context's run.
 */
export async function runPipeline (supervisor: Supervisor, pipeline: Pipeline, context: TaskContext & Partial<RunContext>): Promise<void> {
  const { run, signal, log } = context
  signal.throwIfAborted()
  const onLog = context.line ?? ((line: string): void => log.info({ pipeline: pipeline.id }, messageOf(line)))
  const { worker, prepared } = await supervisor.spawnRun(pipeline, { run, onLog })
  const counted = new Progressed(pipeline, context)
  const stop = (): void => { void worker.stop() }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const looking = setInterval(() => counted.report(worker.metrics), LOOK_MS)
  try {
    const late = await inTime(worker.prepared, supervisor.limits.prepareMsMax, () => 'late').finally(prepared)
    if (late === 'late') void worker.stop(0)
    worker.start()
    const ending = await worker.ended
    counted.report(worker.metrics)
    // What it did before the signal may have been all.
    check(ending, signal)
  } finally {
    clearInterval(looking)
    signal.removeEventListener('abort', stop)
  }
}

function check ({ how, reason, plugin, lasting }: Ending, signal: AbortSignal): void {
  if (signal.aborted) throw new AttemptFailed(how === 'stopped' ? 'It was stopped' : reason, { step: plugin })
  if (how !== 'stopped') throw new AttemptFailed(reason, { step: plugin, lasting })
}

/** Tells the context what the thread has counted since the last time. */
class Progressed {
  readonly #pipeline: Pipeline
  readonly #context: TaskContext & Partial<RunContext>
  #before: StepCount = { step: '', rows: 0, bytes: 0, rejected: 0 }

  constructor (pipeline: Pipeline, context: TaskContext & Partial<RunContext>) {
    this.#pipeline = pipeline
    this.#context = context
  }

  report (metrics: readonly MetricObject[]): void {
    const steps = countsOf(this.#pipeline, metrics)
    if (steps.length === 0) return
    this.#context.steps?.(steps)
    const now = totalOf(this.#pipeline, steps)
    const { rows, bytes, rejected } = this.#before
    this.#before = now
    if (now.rows > rows || now.bytes > bytes || now.rejected > rejected) this.#context.progress({ rows: now.rows - rows, bytes: now.bytes - bytes, rejected: now.rejected - rejected })
  }
}

interface Counter { readonly name: string, readonly values: ReadonlyArray<{ readonly value: number, readonly labels: { readonly step?: string } }> }

/** By step, in the order of the pipeline. */
function countsOf ({ input, outputs }: Pipeline, metrics: readonly MetricObject[]): StepCount[] {
  if (metrics.length === 0) return []
  const valueOf = (name: string, step: string): number => (metrics as unknown as readonly Counter[]).find(metric => metric.name === name)?.values.find(({ labels }) => labels.step === step)?.value ?? 0
  return [...input === undefined ? [] : [input], ...outputs].map(({ name: step }) => ({
    step, rows: valueOf('twolane_rows_total', step), bytes: valueOf('twolane_bytes_total', step), rejected: valueOf('twolane_rejected_rows_total', step)
  }))
}

/** The rows of the input; without one, those of the output that has most. */
function totalOf ({ input }: Pipeline, steps: readonly StepCount[]): StepCount {
  const most = steps.reduce((a, b) => b.rows > a.rows ? b : a)
  const { step, rows, bytes } = input === undefined ? most : steps[0] ?? most
  return { step, rows, bytes, rejected: steps.reduce((sum, { rejected }) => sum + rejected, 0) }
}
