import type { Assignment } from './broker/broker.ts'
import type { Settlement } from './deliver.ts'
import type { Surroundings } from './steps.ts'

interface Watched {
  readonly step: string
  readonly assignment: Assignment
  committed: number
  /** When the destination was asked for what it has not answered yet, ms of the monotonic clock. */
  askedAt: number | undefined
  stalled: boolean
}

/** How far the outputs of a pipeline are behind the topic, and which of them hangs. */
export class LagMeter {
  readonly #around: Surroundings
  readonly #watched = new Set<Watched>()
  /** When the first row not committed yet was seen waiting, by step: its age where the topic does not tell. */
  readonly #behindSince = new Map<Watched, number>()

  constructor (around: Surroundings) {
    this.#around = around
  }

  /** The destination is asked at once: whether it takes the partition, and what it holds of it. */
  of (step: string, assignment: Assignment): { ready (): void, settled (event: Settlement): void, close (): void } {
    const watched: Watched = { step, assignment, committed: assignment.committed.offset, askedAt: performance.now(), stalled: false }
    this.#watched.add(watched)
    return {
      ready: () => this.#answered(watched),
      settled: event => {
        if (event.phase === 'began') {
          watched.askedAt = performance.now()
          return
        }
        watched.committed = event.range.to
        this.#behindSince.delete(watched)
        this.#answered(watched)
      },
      close: () => {
        this.#watched.delete(watched)
        this.#behindSince.delete(watched)
      }
    }
  }

  /** Sets the gauges; called once a second. */
  async measure (): Promise<void> {
    const now = performance.now()
    const steps = new Map<string, { rows: number, ms: number }>()
    for (const watched of this.#watched) {
      const { next } = await watched.assignment.bounds()
      const rows = Math.max(0, next - watched.committed)
      if (rows === 0) this.#behindSince.delete(watched)
      else if (!this.#behindSince.has(watched)) this.#behindSince.set(watched, now)
      const sum = steps.get(watched.step) ?? { rows: 0, ms: 0 }
      steps.set(watched.step, { rows: sum.rows + rows, ms: Math.max(sum.ms, now - (this.#behindSince.get(watched) ?? now)) })
      this.#reportStall(watched, now)
    }
    const { metrics, pipeline } = this.#around
    for (const [step, { rows, ms }] of steps) {
      metrics.lagRows.set({ pipeline: pipeline.id, step }, rows)
      metrics.lagSeconds.set({ pipeline: pipeline.id, step }, ms / 1000)
    }
  }

  #answered (watched: Watched): void {
    watched.askedAt = undefined
    if (!watched.stalled) return
    watched.stalled = false
    this.#around.health(watched.step, { ok: true, state: 'running' })
  }

  #reportStall (watched: Watched, now: number): void {
    if (watched.askedAt === undefined || watched.stalled || now - watched.askedAt < this.#around.limits.stalledMsMax) return
    watched.stalled = true
    this.#around.health(watched.step, { ok: false, state: 'stalled', reason: `The destination has not answered for ${this.#around.limits.stalledMsMax / 1000} s` })
  }
}
