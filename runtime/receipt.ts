import type { FileProblem } from './files.ts'

export type ChangeKind = 'added' | 'changed' | 'removed'

/** What would change, or did, for one pipeline. */
export interface Change {
  readonly pipeline: string
  readonly change: ChangeKind
  /** Of the definition in the files; undefined where it was removed. */
  readonly to: string | undefined
  /** Of the definition that ran. */
  readonly from: string | undefined
}

export interface AppliedChange extends Change {
  /** How the old one ended: everything settled, or ended by force, so that rows in flight were finished or delivered again by the new one. */
  readonly inFlight: 'none' | 'drained' | 'redelivered'
  readonly ms: number
}

export type Outcome =
  /** The files and the running pipelines were the same already. */
  | 'unchanged'
  | 'applied'
  /** Something was wrong before anything was touched. */
  | 'rejected'
  /** A new pipeline failed while it began; all old ones run again. */
  | 'rolled_back'

/** The answer of a reload. */
export interface Receipt {
  /** Grows by one with each reload. */
  readonly revision: number
  /** ms since 1970. */
  readonly time: number
  readonly outcome: Outcome
  /** Why it was rejected or rolled back; empty otherwise. */
  readonly reason: string
  readonly problems: readonly FileProblem[]
  /** In the process that answers. */
  readonly changes: readonly AppliedChange[]
  /** What the other processes did that share its work; empty: it is the only one. */
  readonly runtimes: readonly RuntimeOutcome[]
  readonly ms: number
}

/** What a reload did in another process. */
export interface RuntimeOutcome {
  readonly runtime: string
  readonly outcome: Outcome
  readonly reason: string
  readonly ms: number
}

/** What a reload would do now. The hash tells whether it would still do the same. */
export interface Plan {
  readonly hash: string
  readonly changes: readonly Change[]
  readonly unchanged: readonly string[]
  readonly problems: readonly FileProblem[]
}
