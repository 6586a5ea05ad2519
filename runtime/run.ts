// One pipeline at work: its ingest loop and a deliver loop for each output and partition. In a stream each one is tried
// again by itself and goes on until the stop; in a run of a job the first failure ends the attempt, and so does the end.

import { pause } from './backoff.ts'
import { deliver } from './deliver.ts'
import { describe, PlatformError } from './errors.ts'
import { ingest, openIngest } from './ingest.ts'
import { LagMeter } from './lag.ts'
import { Rejects } from './rejects.ts'
import { inTime } from './in-time.ts'
import { RunEnd, StepFailed } from './run-end.ts'
import { rejectedTopic } from './schema.ts'
import { call, watchedChunks, watchedSink } from './watched.ts'
import { loadInput, loadOutput, loadTransforms, makeContext, openChain, rejectFromOutput, topicNamed } from './steps.ts'
import { Trial } from './trial.ts'
import type { Assignment } from './broker/broker.ts'
import type { OutputStep, Pipeline } from './pipeline.ts'
import type { InputPlugin, OutputPlugin, Run, TransformPlugin } from './plugin.ts'
import type { ChainParts, LoadedStep, Surroundings } from './steps.ts'
import type { Topic } from './schema.ts'

/** How long an input may run before it counts as started although it has said nothing. */
const INPUT_SETTLED_MS = 500
/** How long an output waits for a partition before it counts as one that has none to do: others may have all of them. */
const STANDBY_MS = 5000
/** How long a runtime may take to hear that a partition is not its own any more. */
const FENCED_MS_MAX = 30_000

/** An older revision of the pipeline and its schemas; undefined: not kept. */
export type Revisions = (revision: string) => Promise<Pick<Surroundings, 'pipeline' | 'schemas'> | undefined>

export class PipelineRun {
  readonly #around: Surroundings
  readonly #revisions: Revisions
  readonly #topic: Topic
  readonly #stopInput = new AbortController()
  readonly #stopOutputs = new AbortController()
  readonly lag: LagMeter
  /** Of a run of a job. */
  readonly #end: RunEnd | undefined
  #input: LoadedStep<InputPlugin> | undefined
  #transforms: Array<LoadedStep<TransformPlugin>> = []
  #outputs: Array<{ readonly step: OutputStep, readonly plugin: OutputPlugin }> = []

  constructor (around: Surroundings, revisions: Revisions) {
    this.#around = around
    this.#revisions = revisions
    this.#topic = topicNamed(around.schemas, around.pipeline.topic)
    this.lag = new LagMeter(around)
    this.#end = around.run === undefined ? undefined : new RunEnd()
  }

  /** Loads the plugins and opens the transforms once: what can be wrong before anything runs shows here. */
  async prepare (): Promise<void> {
    this.#input = await loadInput(this.#around)
    this.#transforms = await loadTransforms(this.#around)
    for (const step of this.#around.pipeline.outputs) this.#outputs.push({ step, plugin: await loadOutput(this.#around, step) })
    if (this.#outputs.length > 0) await openChain(this.#around, this.#transforms, { signal: this.#stopOutputs.signal, output: '' })
  }

  /** Resolves when everything has ended: after `stop`, when an input without outputs has, or when the run of a job has; that one throws StepFailed. `onRunning` once all steps have begun. */
  async run (onRunning: () => void): Promise<void> {
    const begun: Array<Promise<void>> = []
    const loops: Array<Promise<void>> = []
    const begin = (loop: (onBegun: () => void) => Promise<void>): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>()
      begun.push(promise)
      const running = loop(resolve)
      loops.push(running)
      return running
    }
    const outputs = this.#outputs.map(({ step, plugin }) => begin(onBegun => this.#output(step, plugin, onBegun)))
    if (this.#input !== undefined) {
      const input = this.#input
      // What the input left in the topic still goes out: the outputs stop behind it.
      const ended = begin(onBegun => this.#ingest(input, onBegun))
      const stopOutputs = (): void => this.#stopOutputs.abort()
      // Its failure is seen below.
      this.#stopInput.signal.addEventListener('abort', () => { void ended.then(stopOutputs, stopOutputs) })
      if (this.#end !== undefined) loops.push(ended.then(() => this.#endAtTopic()))
    } else {
      this.#stopInput.signal.addEventListener('abort', () => this.#stopOutputs.abort())
      if (this.#end !== undefined) loops.push(this.#endAtTopic())
    }
    void Promise.all(begun).then(onRunning)
    try {
      await Promise.all([...loops, ...outputs])
    } catch (error) {
      // What the others have in flight is settled: an output that cannot repeat it has nothing to repeat then.
      this.#stopInput.abort()
      this.#stopOutputs.abort()
      if (this.#end !== undefined) await inTime(Promise.allSettled(loops).then(() => {}), this.#around.limits.stopMsMax, () => 'late')
      throw error
    }
  }

  /** The outputs of a run go on to where the topic ends now. */
  async #endAtTopic (): Promise<void> {
    this.#end?.set(await this.#around.broker.inspect(this.#topic.name))
  }

  /** Stops the input, then the outputs once they have settled what they hold. Calling it again changes nothing. */
  stop (): void {
    this.#stopInput.abort()
  }

  async #ingest (loaded: LoadedStep<InputPlugin>, onBegun: () => void): Promise<void> {
    const { broker, pipeline, health } = this.#around
    const { signal } = this.#stopInput
    const step = loaded.step.name
    const trial = new Trial(told => health(step, told))
    await this.#attempts(step, signal, trial, async () => {
      const settled = setTimeout(onBegun, INPUT_SETTLED_MS)
      const ended = new AbortController()
      try {
        // One input runs once, however many runtimes share the pipeline.
        const lease = await broker.lease(`${pipeline.id}.input`)
        if (lease.shared) trial.told({ ok: true, state: 'standby' })
        for await (const lost of lease.held(AbortSignal.any([signal, ended.signal]))) {
          await this.#ingestWhile(AbortSignal.any([signal, lost]), loaded, { trial, onBegun })
          if (signal.aborted || lost.aborted) trial.told({ ok: true, state: signal.aborted ? 'stopped' : 'standby' })
          else ended.abort()
        }
        onBegun()
      } finally {
        clearTimeout(settled)
      }
    })
  }

  /** One life of the input. It has ended by itself when `signal` has not aborted. */
  async #ingestWhile (signal: AbortSignal, { step: { name: step, config }, plugin }: LoadedStep<InputPlugin>, { trial, onBegun }: { readonly trial: Trial, readonly onBegun: () => void }): Promise<void> {
    const { broker, pipeline, clock, metrics, watch, limits, health } = this.#around
    const labels = { pipeline: pipeline.id, step }
    const rejects = new Rejects(pipeline.topic, pipeline.id, clock)
    const settings = {
      plugin: { ...plugin, read: (...given: Parameters<typeof plugin.read>) => watchedChunks(plugin.read(...given), { step, watch, limits }) },
      config,
      rename: pipeline.input?.rename ?? {},
      producer: producerOf(pipeline.id, this.#around.run),
      topic: this.#topic,
      rejects,
      onDurable: (batch: { length: number, bytes: number }) => {
        trial.succeeded()
        onBegun()
        metrics.rows.inc(labels, batch.length)
        metrics.bytes.inc(labels, batch.bytes)
        metrics.batches.inc(labels)
      }
    }
    const writers = await openIngest(settings, broker)
    trial.begun()
    try {
      const context = makeContext({ ...this.#around, health: (_, told) => trial.told(told) }, {
        step,
        topic: this.#topic,
        signal,
        checkpoint: writers.main.checkpoint,
        reject: (row, reason) => {
          metrics.rejected.inc(labels)
          rejects.add({ row: typeof row === 'number' ? {} : row, reason, step, partition: -1, offset: -1 })
        }
      })
      await ingest(settings, writers, context)
      if (!signal.aborted) health(step, { ok: true, state: 'ended' })
    } finally {
      await writers.close()
    }
  }

  async #output (step: OutputStep, plugin: OutputPlugin, onBegun: () => void): Promise<void> {
    const { broker, pipeline } = this.#around
    const { signal } = this.#stopOutputs
    const trial = new Trial(told => this.#around.health(step.name, told))
    await this.#attempts(step.name, signal, trial, async () => {
      const consumer = await broker.consumer(this.#topic, groupOf(pipeline.id, step.name))
      // One partition that fails takes the others along: all are opened again together.
      const failed = new AbortController()
      const reached = new AbortController()
      const stop = AbortSignal.any([signal, failed.signal, reached.signal])
      const settled = new Set<number>()
      const partitions = new Set<Promise<void>>()
      const standBy = (): void => {
        // Other runtimes have all partitions.
        trial.told({ ok: true, state: 'standby' })
        onBegun()
      }
      const standby = setTimeout(standBy, STANDBY_MS)
      let failure: { readonly error: unknown } | undefined
      try {
        for await (const assignment of consumer.assignments(stop)) {
          clearTimeout(standby)
          const partition = this.#deliver(step, plugin, { assignment, stop, trial, onBegun })
            .then(() => {
              settled.add(assignment.partition)
              if (this.#end?.isReached(settled) === true) reached.abort()
            })
            .catch(error => passOver(error, assignment, stop))
            .catch((error: unknown) => {
              failure ??= { error }
              failed.abort()
            })
            .finally(() => {
              // Its next owner waits for this.
              assignment.release()
              partitions.delete(partition)
              if (partitions.size === 0 && !stop.aborted) standBy()
            })
          partitions.add(partition)
        }
        // No more will come: the embedded broker gives all of them at once.
        await Promise.all(partitions)
      } finally {
        clearTimeout(standby)
        // None may still be at work when the next attempt begins.
        failed.abort()
        await Promise.all(partitions)
        await consumer.close()
      }
      if (failure !== undefined) throw failure.error
    })
  }

  async #deliver (step: OutputStep, plugin: OutputPlugin, { assignment, stop, trial, onBegun }: {
    readonly assignment: Assignment, readonly stop: AbortSignal, readonly trial: Trial, readonly onBegun: () => void
  }): Promise<void> {
    const { pipeline, broker, clock, metrics, watch, limits } = this.#around
    const labels = { pipeline: pipeline.id, step: step.name }
    const group = groupOf(pipeline.id, step.name)
    const sinkRejects = new Rejects(pipeline.topic, pipeline.id, clock, step.name)
    const context = makeContext({ ...this.#around, health: (_, told) => trial.told(told) }, { step: step.name, topic: this.#topic, signal: stop, checkpoint: undefined, reject: rejectFromOutput(sinkRejects, step.name) })
    const rejected = await broker.producer(rejectedTopic(pipeline.topic), `${group}/${assignment.partition}`)
    const opened = await call({ step: step.name, watch, work: () => plugin.open(step.config, context), limit: { to: 'open', msMax: limits.openMsMax } })
    const sink = watchedSink(opened, { step: step.name, watch, limits })
    trial.begun()
    onBegun()
    const lag = this.lag.of(step.name, assignment)
    trial.sent()
    try {
      await deliver({
        assignment,
        sink,
        guarantee: plugin.guarantee,
        sinkRejects,
        rejected,
        openChain: (state, revision) => this.#openChain(plugin, revision, { state, signal: stop, output: step.name }),
        flush: step.flush,
        ...(this.#end !== undefined && { end: this.#end.of(assignment.partition) }),
        revision: pipeline.revision,
        log: context.log,
        onReady: () => {
          lag.ready()
          trial.idle()
        },
        onSettle: event => {
          lag.settled(event)
          if (event.phase === 'began') return trial.sent()
          trial.succeeded()
          metrics.rows.inc(labels, event.rows)
          metrics.bytes.inc(labels, event.bytes)
          metrics.batches.inc(labels)
          metrics.rejected.inc(labels, event.rejected)
          metrics.latency.observe(labels, Math.max(0, clock.now() - event.oldest) / 1000)
        }
      }, stop)
      if (stop.aborted || this.#end !== undefined) this.#around.health(step.name, { ok: true, state: stop.aborted ? 'stopped' : 'ended' })
    } finally {
      lag.close()
      await rejected.close()
      await sink.close()
    }
  }

  /** The transforms as a revision had them; as they are now where that revision was not kept. */
  async #openChain (plugin: OutputPlugin, revision: string, parts: ChainParts): ReturnType<typeof openChain> {
    if (plugin.raw === true) return openChain(this.#around, [], { ...parts, state: undefined })
    if (revision === this.#around.pipeline.revision) return openChain(this.#around, this.#transforms, parts)
    const old = await this.#revisions(revision)
    if (old === undefined) return openChain(this.#around, this.#transforms, parts)
    const around = { ...this.#around, ...old }
    return openChain(around, await loadTransforms(around), parts)
  }

  /** Tries until it ends without an error, or until the signal. Throws what only a new thread can help against. */
  async #attempts (step: string, signal: AbortSignal, trial: Trial, attempt: () => Promise<void>): Promise<void> {
    const { pipeline, metrics } = this.#around
    const log = this.#around.log(step)
    while (!signal.aborted) {
      try {
        await attempt()
        return trial.close()
      } catch (error) {
        if (signal.aborted) {
          trial.close()
          log.warn({ reason: describe(error) }, 'Failed while stopping; what was not settled is finished at the next start')
          return
        }
        metrics.failures.inc({ pipeline: pipeline.id, step })
        // It may come back at any moment, and do things behind the back of the next attempt.
        if (error instanceof PlatformError && error.code === 'PLUGIN_STUCK') throw error
        if (this.#end !== undefined) throw new StepFailed(step, error)
        const reason = describe(error)
        const retryDelayMs = trial.failed(reason)
        if (error instanceof PlatformError && !error.retryable) log.error({ retryDelayMs, reason }, 'Failed and needs a hand')
        else log.warn({ retryDelayMs, reason }, 'Failed, trying again')
        await pause(retryDelayMs, signal)
      }
    }
  }
}

/** A partition that another runtime has taken over is no failure of this one. Throws anything else. */
async function passOver (error: unknown, assignment: Assignment, stop: AbortSignal): Promise<void> {
  if (!(error instanceof PlatformError) || error.code !== 'BROKER_FENCED') throw error
  // The new owner may be known to the destination before this runtime is told.
  await pause(FENCED_MS_MAX, AbortSignal.any([assignment.signal, stop]))
  if (!assignment.signal.aborted && !stop.aborted) throw error
}

/** Under which name the input's checkpoint is kept: a backfill has one of its own. */
export function producerOf (pipeline: Pipeline['id'], run: Run | undefined): string {
  return run?.kind === 'backfill' ? `${pipeline}.${run.id}` : pipeline
}

/** Name of the consumer group of an output. */
export function groupOf (pipeline: Pipeline['id'], step: string): string {
  return `${pipeline}.${step.replace(/^outputs\./, '')}`
}
