// What the API answers, as far as more than one page reads it. Times are ms since 1970 where the name does not end in `_at`.

export interface StepStatus {
  readonly step: string
  readonly ok: boolean
  readonly state: string
  readonly reason?: string
  readonly rows_per_second?: number
  readonly lag_rows?: number
  readonly lag_seconds?: number
}

export interface PipelineStatus {
  readonly id: string
  readonly state: string
  readonly healthy: boolean
  readonly reasons: readonly string[]
  readonly revision: string
  readonly topic: string
  readonly restarts: number
  readonly since: number
  readonly steps: readonly StepStatus[]
}

export interface Run {
  readonly id: string
  readonly job: string
  readonly kind: 'scheduled' | 'manual' | 'backfill'
  readonly state: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted'
  readonly from: number
  readonly to: number
  readonly started_by: string
  readonly queued: number
  readonly started: number
  readonly ended: number
  readonly retry_at: number
  readonly attempt: number
  readonly rows: number
  readonly bytes: number
  readonly rejected: number
  readonly share?: number
  readonly error: string
  readonly step: string
}

export interface Job {
  readonly id: string
  readonly kind: 'pipeline' | 'task'
  readonly description: string
  readonly schedule: string
  readonly words?: string
  readonly zone?: string
  /** The next fires; an older platform gives one. */
  readonly next?: number | ReadonlyArray<number | string>
  readonly catch_up: string
  readonly retries: number
  readonly timeout_seconds: number
  readonly paused: boolean
  readonly healthy: boolean
  readonly queued: number
  readonly running?: Run
  readonly last?: Run
}

export interface Receipt {
  readonly revision: number
  readonly time: number
  readonly outcome: 'unchanged' | 'applied' | 'rejected' | 'rolled_back'
  readonly reason: string
  readonly changes: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly ms: number
}

export interface Certificate {
  readonly seq: number
  readonly dataset: string
  readonly topic: string
  readonly day: string
  readonly version: number
  readonly rows: number
  readonly hash: string
  readonly source_rows: number
  readonly at: number
  readonly cleaned_at: number | null
}

export interface WaitingDay {
  readonly dataset: string
  readonly topic: string
  readonly day: string
  readonly reason: string
  readonly since: number
}

export interface Boundary {
  readonly boundary: number
  readonly realtime_days: number
  readonly days: readonly Certificate[]
  readonly waiting: readonly WaitingDay[]
}

export interface DatasetSummary {
  readonly dataset: string
  readonly title: string
  readonly owner: string
  readonly topic: string
  readonly rows: number
  readonly boundary_day: string | null
  readonly freshness: { readonly last_event_at: string | null, readonly last_ingest_at: string | null, readonly seconds: number | null, readonly state: string }
}

/** What is wrong, once for all that it causes. */
export interface HealthProblem {
  readonly cause: string
  readonly part: string
  readonly since: number | string
  readonly hides: readonly string[]
  readonly touches: { readonly datasets: readonly string[], readonly queries: readonly string[], readonly users: number | readonly string[] }
  readonly remedy: string
  readonly actions: ReadonlyArray<HealthAction | string>
}

export interface HealthAction {
  readonly title: string
  readonly method?: string
  readonly path?: string
  readonly body?: unknown
}

export interface Hop {
  readonly hop: string
  readonly at: string | number | null
  readonly ms: number | null
  readonly state: string
}

export interface Health {
  readonly sentence: string
  readonly state: string
  readonly evidence: ReadonlyArray<string | { readonly text: string }>
  readonly canary: { readonly at: string | number | null, readonly hops: readonly Hop[] } | null
  readonly problems: readonly HealthProblem[]
  readonly changes: ReadonlyArray<Readonly<Record<string, unknown>>>
}

/** All next fires of a job, ms since 1970. */
export function firesOf ({ next }: Job): number[] {
  const given = next === undefined ? [] : Array.isArray(next) ? next : [next]
  return given.map(at => typeof at === 'string' ? Date.parse(at) : at as number).filter(at => at > 0)
}
