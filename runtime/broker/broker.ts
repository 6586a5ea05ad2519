// What the two loops need of a broker. Apache Kafka's words: topics have partitions, rows of one key keep their order
// in one partition, a consumer group shares the partitions of a topic and commits offsets. Any implementation passes
// test/conform/broker.ts.

import type { Batch, Row } from '../batch.ts'
import type { Json } from '../plugin.ts'
import type { Topic } from '../schema.ts'

export interface Broker {
  /** The one writer of that name on a topic. A second one of the same name takes over: the first one's next append fails with BROKER_FENCED. */
  producer (topic: Topic, name: string): Promise<Producer>
  /** One member of a consumer group. */
  consumer (topic: Topic, group: string): Promise<Consumer>
  /** A seat that one process of all on this broker has at a time, such as the one that runs an input. */
  lease (name: string): Promise<Lease>
  /** Rows as they come, after the last `rows` there are, without a group. Ends with `signal`. */
  follow (topic: Topic, options: { readonly rows: number, readonly signal: AbortSignal }): AsyncGenerator<Batch, void, void>
  /** What a topic holds, from any offset, without a group; nobody notices. Makes the topic where it does not exist yet. */
  reader (topic: Topic): Promise<Reader>
  /** What a topic holds; undefined: it does not exist yet. */
  inspect (topic: string): Promise<TopicState | undefined>
  /** Names of the topics that exist. */
  topics (): Promise<string[]>
  /** The last rows of a topic, oldest first, over all partitions. */
  tail (topic: Topic, rows: number): Promise<Batch[]>
  /** Removes what retention allows at `now` and what none of `groups` still needs; returns how many offsets are gone. */
  trim (topic: Topic, needs: { readonly now: number, readonly groups: readonly string[] }): Promise<number>
  close (): Promise<void>
}

export interface Producer {
  /** What the last append with a checkpoint saved; undefined: none so far. */
  readonly checkpoint: Json | undefined
  /**
   * Resolves when the batches and the checkpoint are durable: together, in one write (invariant 1). All batches go to the
   * producer's topic. With `sequence`, an append whose sequence is not above the last one of this producer was made
   * before and does nothing: that makes a repeated append harmless.
   */
  append (batches: readonly Batch[], options?: { readonly checkpoint?: Json | undefined, readonly sequence?: number }): Promise<void>
  close (): Promise<void>
}

export interface Consumer {
  /** Partitions as they come to this member. Each one is worked until its signal aborts. Ends with `signal`. */
  assignments (signal: AbortSignal): AsyncGenerator<Assignment, void, void>
  close (): Promise<void>
}

/** Whoever opened it closes it. */
export interface Reader {
  readonly partitions: number
  /** Offsets that a partition holds: [first, next). What a producer was told is durable before is below `next`. */
  bounds (partition: number): Promise<{ readonly first: number, readonly next: number }>
  /** As `read` of an assignment; throws BROKER_OFFSET_LOST below `first`. */
  read (partition: number, offset: number, limits: { readonly rows: number, readonly bytes: number, readonly to?: number }): Promise<Found>
  close (): Promise<void>
}

export interface Lease {
  /** Whether other processes may want the seat. */
  readonly shared: boolean
  /** Each time this process gets the seat: a signal that aborts when it is lost. Ends with `signal`, which gives the seat back. */
  held (signal: AbortSignal): AsyncGenerator<AbortSignal, void, void>
}

/** The range that a group is about to write: durable before the first write, so that a crash leaves no doubt about what was tried. */
export interface Intent {
  readonly from: number
  readonly to: number
  /** Rows that go to the destination: those that transforms left. */
  readonly rows: number
  /** sha256 over what is written; tells whether a repeated mapping still gives the same rows. */
  readonly hash: string
  /** The revision of the pipeline that made the rows. */
  readonly revision: string
}

export interface Committed {
  /** The next offset to read. */
  readonly offset: number
  /** The transforms' state at `offset`. */
  readonly state: Json | undefined
  readonly intent: Intent | undefined
  /** The topic was deleted since, and made anew: what the group had not taken of it is lost, and it goes on at the first row. */
  readonly deleted?: boolean
}

export interface Found {
  readonly batches: readonly Batch[]
  /** Records that are no row of the topic, which another client has written. */
  readonly refused: readonly Refused[]
  /** The offset to read on from; the one that was asked for: nothing is there yet. At most `to`. */
  readonly next: number
}

export interface Refused {
  readonly offset: number
  readonly reason: string
  /** As much of the record as can be shown. */
  readonly row: Row
}

/** One partition of a topic in the hands of one member of a group. */
export interface Assignment {
  readonly partition: number
  /**
   * Grows with each owner of the partition, so that a destination can refuse what an earlier one still sends. It never
   * starts again at a low number, also where topic and group are made anew: the destination would refuse the new owner.
   */
  readonly epoch: number
  /** Aborted when the partition is taken away; commits fail with BROKER_FENCED from then on. */
  readonly signal: AbortSignal
  /** As of the assignment. Below what the topic still holds when retention has passed it: `read` then throws BROKER_OFFSET_LOST. */
  readonly committed: Committed
  /** What there is from `offset` on: up to `rows` rows, at least one batch where there is any, none at `to` or above. */
  read (offset: number, limits: { readonly rows: number, readonly bytes: number, readonly to?: number }): Promise<Found>
  /** Resolves when there may be rows at `offset`, after `ms`, or at the signal. */
  wait (offset: number, ms: number, signal: AbortSignal): Promise<void>
  /** Offsets the partition holds: [first, next). */
  bounds (): Promise<{ readonly first: number, readonly next: number }>
  /** Durable when it resolves. */
  begin (intent: Intent): Promise<void>
  /** Durable when it resolves; clears the intent. Offsets only grow (invariant 3). */
  commit (offset: number, state: Json | undefined): Promise<void>
  /** To be called when the work on the partition has ended. Another member that waits for a partition which was taken away gets it then, and not after a while. */
  release (): void
}

export interface TopicState {
  readonly name: string
  readonly bytes: number
  readonly partitions: ReadonlyArray<{
    readonly partition: number
    /** The oldest offset kept. */
    readonly first: number
    /** The offset of the next row. */
    readonly next: number
    /** When the newest batch was appended, ms since 1970; 0: none. */
    readonly time: number
  }>
  readonly groups: ReadonlyArray<{
    readonly group: string
    readonly partition: number
    readonly offset: number
    /** How old the first row not committed yet is; 0: none waits. */
    readonly lagMs: number
  }>
}
