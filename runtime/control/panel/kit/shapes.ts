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
  /** The schedule for people, without its zone. */
  readonly words: string
  readonly zone: string
  /** Params without which no run is started. */
  readonly needs: readonly string[]
  /** The next fires. */
  readonly next: readonly number[]
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
  readonly changes: ReadonlyArray<{ readonly pipeline: string, readonly change: string }>
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

/** What is wrong, once for all that it causes. */
export interface HealthProblem {
  readonly id: string
  readonly cause: string
  readonly part: string
  readonly severity: 'error' | 'warning' | 'notice'
  readonly since: string | null
  readonly hides: ReadonlyArray<{ readonly part: string, readonly cause: string }>
  readonly touches: { readonly datasets: readonly string[], readonly queries: readonly string[], readonly users: readonly string[] }
  readonly remedy: string
  readonly actions: readonly HealthAction[]
}

/** A request that a person may make about it with one click. */
export interface HealthAction {
  readonly title: string
  readonly method: 'GET' | 'POST'
  readonly path: string
}

export interface Hop {
  readonly hop: string
  readonly pipeline: string
  readonly step: string
  readonly state: 'ok' | 'waiting' | 'late'
  readonly at: string | null
  readonly ms: number
  readonly reason: string
}

export interface Canary {
  readonly state: 'ok' | 'late' | 'absent' | 'waiting'
  readonly at: string | null
  readonly hops: readonly Hop[]
}

export interface DatasetHealth {
  readonly dataset: string
  readonly topic: string
  readonly title: string
  readonly state: string
  readonly seconds: number | null
  readonly reason: string
}

export interface Health {
  readonly at: string
  readonly state: 'ok' | 'degraded' | 'down'
  readonly sentence: string
  readonly evidence: ReadonlyArray<{ readonly what: string, readonly ok: boolean, readonly detail: string }>
  readonly canary: Canary
  readonly datasets: readonly DatasetHealth[]
  readonly problems: readonly HealthProblem[]
  readonly since: string | null
  readonly changes: ReadonlyArray<{ readonly at: string, readonly kind: string, readonly who: string, readonly what: string }>
}

/** A step as the definition of a pipeline has it. */
export interface Step {
  /** `outputs.lake` */
  readonly name: string
  readonly plugin: string
  readonly config: Readonly<Record<string, unknown>>
}

export interface PipelineDetail extends PipelineStatus {
  readonly file: string
  /** Of the file; left out where it cannot be read. */
  readonly text?: string
  readonly lastFailure?: string
  readonly runtimes?: ReadonlyArray<{ readonly runtime: string, readonly state: string, readonly healthy: boolean }>
  readonly resolved?: {
    readonly description: string
    readonly enabled: boolean
    readonly input?: Step
    readonly topic: string
    readonly transforms: readonly Step[]
    readonly outputs: readonly Step[]
    readonly schedule?: unknown
  }
}

export interface TopicState {
  readonly name: string
  readonly bytes: number
  readonly partitions: ReadonlyArray<{ readonly partition: number, readonly first: number, readonly next: number, readonly time: number }>
  readonly groups: ReadonlyArray<{ readonly group: string, readonly partition: number, readonly offset: number }>
}
