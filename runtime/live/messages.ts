// What the main thread and the thread of a feed (feed-worker.ts) say to each other, over a port of their own.

import type { Filter } from '../data/filter.ts'

/** What one subscriber gets of a dataset; subscribers with the same one share the work. Plain data. */
export interface Selection {
  readonly columns: readonly string[]
  /** All of them hold for a row that is sent. */
  readonly filters: readonly Filter[]
  /** 0: every row; else the newest row of each key, so often. */
  readonly conflateMs: number
}

export interface FeedRequest {
  readonly dataset: string
  /** Name of the schema of the rows behind the transforms. */
  readonly schema: string
  /** The output that stores the rows, by pipeline in the order of the thread's pipelines. */
  readonly outputs: readonly string[]
}

export type ToFeed =
  /** `from`: a position's offsets as text; undefined: from now on. */
  | { readonly type: 'join', readonly member: number, readonly selection: Selection, readonly from: string | undefined }
  | { readonly type: 'leave', readonly member: number }
  /** Bytes were handed on: `member` undefined, to those who are up to date; else to the one that catches up. */
  | { readonly type: 'taken', readonly member: number | undefined, readonly bytes: number }
  | { readonly type: 'end' }

export type FromFeed =
  /** It reads the topics from here on. */
  | { readonly type: 'open', readonly at: string }
  /** The member is up to date now. */
  | { readonly type: 'joined', readonly member: number, readonly at: string }
  /** `body`: a JSON array. `catchingUp`: rows for one member that is not up to date yet. */
  | { readonly type: 'rows', readonly members: readonly number[], readonly rows: number, readonly at: string, readonly body: Uint8Array, readonly catchingUp: boolean }
  /** Sent so often as anything was read. */
  | { readonly type: 'at', readonly at: string }
  /** The member cannot go on. */
  | { readonly type: 'cut', readonly member: number, readonly reason: string }
