/** What live streams may take, of one principal and in all. */
export interface LiveLimits {
  readonly subscribersMax: number
  /** Of one user or token. */
  readonly subscribersOfOneMax: number
  /** Bytes that wait for one slow subscriber; with more it is cut off, and can resume. */
  readonly waitingBytesMax: number
  /** A dataset is read on for so long without a subscriber. */
  readonly lingerMs: number
  /** Rows of a topic that are read again for one who resumes; more are read from the database. */
  readonly catchUpRowsMax: number
}

export const liveLimits: LiveLimits = { subscribersMax: 500, subscribersOfOneMax: 50, waitingBytesMax: 4 * 2 ** 20, lingerMs: 10_000, catchUpRowsMax: 100_000 }

export const HEARTBEAT_MS = 5000
/** How often it is asked whether a subscriber still may, and whether the pipeline is still the same. */
export const LOOK_MS = 500
