// What /metrics says of the health: the newest look, as numbers. Labels are parts, hops and severities, of which there are
// few however many pipelines there are; names of problems are in GET /v1/health.

import { Gauge, Registry } from 'prom-client'
import { partStates } from './public-status.ts'
import type { Alert } from '../alerts/alert-state.ts'
import type { MetricObjectWithValues } from '../row-rate.ts'
import type { Facts } from './facts.ts'
import type { State, Verdict } from './verdict.ts'

export interface Looked {
  readonly verdict: Verdict
  readonly facts: Pick<Facts, 'disk'>
}

export interface HealthSources {
  /** The newest look; undefined: there was none yet, or another runtime looks. */
  looked (): Looked | undefined
  alerts (): ReadonlyArray<Pick<Alert, 'severity' | 'fired'>>
  /** When the newest backup was made, ms since 1970; undefined: none was, or no place is set. */
  lastBackup (): number | undefined
}

const values: Readonly<Record<State, number>> = { ok: 0, degraded: 1, down: 2 }
const severities = ['error', 'warning', 'notice'] as const

export class HealthMetrics {
  readonly #sources: HealthSources
  readonly #registry = new Registry()
  readonly #state = this.#gauge('twolane_health_state', 'How the platform is: 0 ok, 1 degraded, 2 down')
  readonly #parts = this.#gauge('twolane_part_state', 'How a part is: 0 ok, 1 degraded, 2 down', ['part'])
  readonly #problems = this.#gauge('twolane_problems', 'Problems by root cause', ['severity'])
  readonly #hopSeconds = this.#gauge('twolane_canary_hop_seconds', 'What the newest canary that was found at a hop took from the connector', ['hop'])
  readonly #hopLate = this.#gauge('twolane_canary_hop_late', '1: the canary has not arrived at the hop in time', ['hop'])
  readonly #canaryAge = this.#gauge('twolane_canary_age_seconds', 'Age of the newest canary that arrived everywhere')
  readonly #backupAge = this.#gauge('twolane_backup_age_seconds', 'Age of the newest backup')
  readonly #alerts = this.#gauge('twolane_alerts_open', 'Alerts that fire', ['severity'])
  readonly #diskFree = this.#gauge('twolane_disk_free_bytes', 'What is free on the disk of the data folder')

  constructor (sources: HealthSources) {
    this.#sources = sources
  }

  /** Those that are known; a gauge without a value is left out. Never throws. */
  async read (now = Date.now()): Promise<MetricObjectWithValues[]> {
    const looked = this.#sources.looked()
    if (looked === undefined) return []
    const { verdict: { state, problems, canary }, facts: { disk } } = looked
    this.#registry.resetMetrics()
    this.#state.set(values[state])
    for (const { name, state } of partStates(problems)) this.#parts.set({ part: name }, values[state])
    for (const severity of severities) this.#problems.set({ severity }, problems.filter(one => one.severity === severity).length)
    for (const { hop, state, at, ms } of canary.hops) {
      this.#hopLate.set({ hop }, state === 'late' ? 1 : 0)
      if (at > 0) this.#hopSeconds.set({ hop }, ms / 1000)
    }
    // A database that is locked or full hides no other gauge.
    const backupAt = orUndefined(() => this.#sources.lastBackup())
    const firing = orUndefined(() => this.#sources.alerts().filter(({ fired }) => fired > 0))
    for (const severity of firing === undefined ? [] : severities) this.#alerts.set({ severity }, firing?.filter(one => one.severity === severity).length ?? 0)
    const single: ReadonlyArray<readonly [Gauge, number | undefined]> = [
      [this.#canaryAge, canary.at === 0 ? undefined : (now - canary.at) / 1000],
      [this.#backupAge, backupAt === undefined ? undefined : (now - backupAt) / 1000],
      [this.#diskFree, disk.known ? disk.value.freeBytes : undefined]
    ]
    for (const [gauge, value] of single) if (value !== undefined) gauge.set(value)
    const unknown = new Set(single.filter(([, value]) => value === undefined).map(([gauge]) => gauge))
    const shown = await this.#registry.getMetricsAsJSON() as unknown as MetricObjectWithValues[]
    return shown.filter(({ name, values }) => values.length > 0 && ![...unknown].some(gauge => this.#registry.getSingleMetric(name) === gauge))
  }

  #gauge (name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.#registry] })
  }
}

function orUndefined<T> (ask: () => T): T | undefined {
  try {
    return ask()
  } catch {
    return undefined
  }
}
