// The contract of the three kinds of plugins. A contributor reads this file and one plugin.
//
//   input      waits for the world, so it is an async generator of batches
//   transform  waits for nothing, so it is a synchronous function over a batch
//   output     waits for the runtime, so it is called
//
// A plugin is the default export of plugins/<kind>s/<name>/index.ts (or index.js), or of an npm package that the
// YAML names. The folder's name is the registration.

import type { Batch, Row } from './batch.ts'
import type { Producer, Reader } from './broker/broker.ts'
import type { Topic } from './schema.ts'

export type { Batch, Row } from './batch.ts'
export type { Topic } from './schema.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** One option of a plugin: plain JSON Schema, so that ajv checks it and the panel draws a form from it. */
export interface Option {
  readonly type: 'string' | 'number' | 'integer' | 'boolean' | 'array' | 'object'
  /** A sentence; units where there are any. */
  readonly description: string
  /** What holds where the YAML says nothing; null: absent. An option without a default is required. */
  readonly default?: Json
  readonly enum?: readonly Json[]
  readonly minimum?: number
  readonly maximum?: number
  readonly pattern?: string
  readonly minItems?: number
  /** JSON Schema of the items of an array. */
  readonly items?: { readonly type?: 'string' | 'number' | 'integer' | 'boolean' | 'object' | readonly string[], readonly [key: string]: unknown }
  /** JSON Schema of the keys of an object. */
  readonly properties?: { readonly [key: string]: unknown }
  readonly additionalProperties?: unknown
  readonly required?: readonly string[]
  readonly examples?: readonly Json[]
  /** A secret: never logged, never sent to the panel. */
  readonly writeOnly?: true
}
export type Options = Readonly<Record<string, Option>>

type Scalar<T> = T extends 'string' ? string : T extends 'number' | 'integer' ? number : T extends 'boolean' ? boolean : Json
type Given<O> = O extends { enum: readonly (infer E)[] } ? E
  : O extends { type: 'array', items: { type: infer T extends string } } ? ReadonlyArray<Scalar<T>>
    : O extends { type: 'array' } ? readonly Json[]
      : O extends { type: 'object', additionalProperties: { type: infer T extends string } } ? Readonly<Record<string, Scalar<T>>>
        : O extends { type: 'object' } ? Readonly<Record<string, Json>>
          : O extends { type: infer T } ? Scalar<T> : never
type Value<O> = O extends { default: null } ? Given<O> | null : Given<O>
/** The checked configuration. Every option is present: defaults are filled in. */
export type Config<O extends Options> = { readonly [K in keyof O]: Value<O[K]> }

/** pino's shape: a constant sentence, values as fields. `log.warn({ retryDelayMs }, 'Connection lost, retrying')`. */
export interface Logger {
  error (fields: object, message: string): void
  warn (fields: object, message: string): void
  info (fields: object, message: string): void
  debug (fields: object, message: string): void
}

/** Counters and gauges of one step; the runtime adds the pipeline and the step. Names are snake_case with the unit last. */
export interface Metrics {
  count (name: string, by?: number): void
  gauge (name: string, value: number): void
  /** One observation of a duration, in seconds. */
  observe (name: string, seconds: number): void
}

/** Time as the runtime sees it; tests own it. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now (): number
}

/** How a step is; shown by health, the panel and `twolane status`. */
export interface Health {
  readonly ok: boolean
  /** One word, such as `streaming`, `needs_login`, `backing_off`. */
  readonly state: string
  /** Why it is not ok and what to do. */
  readonly reason?: string
}

/** One run of a job: what a pipeline with a `schedule` does each time. */
export interface Run {
  /** The same when the run is tried or resumed again. */
  readonly id: string
  /** The data interval that the run is for, [from, to), ms since 1970. */
  readonly from: number
  readonly to: number
  /** `backfill`: the interval was asked for, whatever was read before; its checkpoint begins undefined. */
  readonly kind: 'scheduled' | 'manual' | 'backfill'
}

/** Other parts of the platform that few plugins need. One that is missing is not running. */
export interface Services {
  /** The one writer of that name on another topic of the broker; whoever asks closes it. */
  producer? (topic: Topic, name: string): Promise<Producer>
  /** What another topic of the broker holds; whoever asks closes it. */
  reader? (topic: Topic): Promise<Reader>
  /** Address of the platform's own ClickHouse, with user and password where it has them. */
  readonly clickhouse?: string
  /** Address of the ClickHouse that has the warehouse; the platform's own one unless it is configured. */
  readonly warehouse?: string
}

/** All a plugin gets from the runtime; there are no globals. */
export interface Context {
  readonly pipeline: string
  /** The step's name in the pipeline, such as `input.file` or `outputs.lake`. */
  readonly step: string
  readonly log: Logger
  readonly metrics: Metrics
  readonly clock: Clock
  /** Aborted once, to stop: finish what is buffered, then return. Every wait takes it. */
  readonly signal: AbortSignal
  /**
   * What was last saved for this step; undefined on the first run. An input that goes on where the last run ended keeps
   * its place there; one whose place counts in one run only keeps the run's id beside it.
   */
  readonly checkpoint: Json | undefined
  /** The run of a job that the step works for: an input then ends once it has read what there is. undefined: the pipeline runs all the time. */
  readonly run: Run | undefined
  /** The pipeline's topic. */
  readonly topic: Topic
  /** Another topic by name, for an input that fills several. Throws when there is no such schema. */
  topicNamed (name: string): Topic
  readonly services: Services
  /** The project's folder: the files of the project that options name lie below it. */
  readonly root: string
  /** Folder of the platform's data; plugins that write files keep them below it unless configured otherwise. */
  readonly dataFolder: string
  /**
   * A row that cannot go on: to `<topic>.rejected`, durable before the next commit or checkpoint. An input gives the row
   * itself; a transform its index in the batch that is being mapped; an output its index and the batch it was given.
   */
  reject (row: Row | number, reason: string, batch?: Batch): void
  /** Reports how the step is; the runtime itself reports start, back-off and end. */
  health (health: Health): void
}

export interface Chunk {
  /** Rows under the names of the source; the runtime renames them to the topic schema. `batch.topic` says where they go. Without rows, it carries a checkpoint past rejected ones. */
  readonly batch: Batch
  /** Where to resume once this batch is durable. */
  readonly checkpoint?: Json
}

/**
 * A source. `read` is the whole life of one connection: open, yield batches, close in `finally`.
 * Resuming after a `yield` means that the batch and its checkpoint are durable in the broker.
 * Throwing is how a lost connection is reported: the runtime backs off and calls `read` again from the last checkpoint.
 * Returning means that the source has ended. It selects all fields of the source and casts nothing.
 */
export interface InputPlugin<O extends Options = Options> {
  readonly kind: 'input'
  /** One sentence. */
  readonly description: string
  readonly options: O
  /** The option that a bare value stands for: `- mapping: quotes` is `- mapping: { schema: quotes }`. */
  readonly shorthand?: keyof O & string
  /** Names of the source's fields and the names that topic schemas use for them; `rename:` in the YAML comes on top. */
  readonly names?: Readonly<Record<string, string>>
  /** It can be the input of a job: with `context.run` it reads what there is, and returns. */
  readonly bounded?: true
  /**
   * Whether a run with this configuration reads what belongs to `context.run.from` and `to` only; without it, nothing
   * says so, and a backfill is refused: each of its runs would take everything again. Called when the file is checked.
   */
  interval? (config: Config<O>): boolean
  read (config: Config<O>, context: Context): AsyncGenerator<Chunk, void, void>
  /** The connection test: resolves when the source can be reached with this configuration, throws a clear error otherwise. */
  probe? (config: Config<O>, context: Context): Promise<void>
}

/** A mapping of one topic's batches. On failure the step is opened again from its checkpoint, never repaired. */
export interface TransformPlugin<O extends Options = Options> {
  readonly kind: 'transform'
  readonly description: string
  readonly options: O
  readonly shorthand?: keyof O & string
  open (config: Config<O>, context: Context): Mapping | Promise<Mapping>
}
export interface Mapping {
  /** Synchronous and repeatable: the same batch from the same state gives the same rows. A bad row is rejected, not thrown. Rows may be taken out, not added. */
  map (batch: Batch): Batch
  /** State of a window or join, saved with the commit, given back as `context.checkpoint`. Bounded by an option. */
  snapshot? (): Json
}

/**
 * What a crash can do to the rows in flight:
 * - `exactly once`: the sink can tell which offsets it holds (`landed`), so the runtime sends only what is missing.
 * - `idempotent`: a range written again replaces itself; the runtime repeats exactly the range that was in flight.
 * - `at least once`: at most the range in flight is repeated.
 */
export type Guarantee = 'exactly once' | 'idempotent' | 'at least once'

/** When the runtime flushes an output: at the first of these. */
export interface FlushLimits {
  readonly rows: number
  readonly ms: number
  /** Of the rows as the topic holds them. */
  readonly bytes: number
}

/** Where an output stands. */
export interface OutputPlace {
  readonly pipeline: string
  /** Name of the pipeline's topic. */
  readonly topic: string
  readonly dataFolder: string
}

/** A destination, driven by the runtime: one call at a time, in offset order. */
export interface OutputPlugin<O extends Options = Options> {
  readonly kind: 'output'
  readonly description: string
  readonly options: O
  readonly shorthand?: keyof O & string
  readonly guarantee: Guarantee
  /** The rows as the topic holds them, before the transforms. */
  readonly raw?: true
  /** A second sink, of another step's name, may send rows of earlier offsets while this one is at work: rows that were refused can be delivered later. */
  readonly late?: true
  /** What suits the destination where the pipeline's `flush:` says nothing. */
  readonly flush?: Partial<FlushLimits>
  /** What two outputs must not share, because rows would be doubled; undefined: anything goes. It is compared, never shown. */
  target? (config: Config<O>, place: OutputPlace): string | undefined
  open (config: Config<O>, context: Context): Promise<Sink>
  probe? (config: Config<O>, context: Context): Promise<void>
}

/** Offsets [from, to) of one partition of the topic. */
export interface Range {
  readonly partition: number
  readonly from: number
  readonly to: number
}

/** Who writes the rows of a partition now. */
export interface Owner {
  readonly partition: number
  /** Higher than that of every owner before. */
  readonly epoch: number
}

export interface Sink {
  /**
   * First of all, once: when it resolves, nothing that an earlier owner still sends can land any more, except for what
   * `landed` waits for. Throws BROKER_FENCED where there is a newer owner. A sink without it takes what a paused process sends late.
   */
  own? (owner: Owner): Promise<void>
  /** May buffer; stays pending while the destination is slow. */
  write (batch: Batch): Promise<void>
  /** Resolves when all that was written since the last flush is durable; only then is `range.to` committed. The range covers rows that transforms took out, too. */
  flush (range: Range): Promise<void>
  /** Which offsets of the range the destination holds, ascending. Called after a crash or an unclear answer, when the old write can no longer land. */
  landed? (range: Range): Promise<Float64Array>
  /** Once, last, also after a failure. */
  close (): Promise<void>
}

export type Plugin = InputPlugin | TransformPlugin | OutputPlugin

/** Identity that infers `config` from `options`. */
export function defineInput<const O extends Options> (plugin: Omit<InputPlugin<O>, 'kind'>): InputPlugin<O> {
  return { kind: 'input', ...plugin }
}

/** Identity that infers `config` from `options`. */
export function defineTransform<const O extends Options> (plugin: Omit<TransformPlugin<O>, 'kind'>): TransformPlugin<O> {
  return { kind: 'transform', ...plugin }
}

/** Identity that infers `config` from `options`. */
export function defineOutput<const O extends Options> (plugin: Omit<OutputPlugin<O>, 'kind'>): OutputPlugin<O> {
  return { kind: 'output', ...plugin }
}

export { Batch as RowBatch, cell, fromRows } from './batch.ts'
export { Collector } from './collector.ts'
