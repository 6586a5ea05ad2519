// What watches the platform as a whole, on the control side: health, and what goes by it.

import { Health } from './health.ts'
import type { HealthPlatform } from './health.ts'
import type { AuditLine } from './changes.ts'

/** Whom a problem concerns, besides the datasets themselves. */
export interface Touched {
  readonly datasets: readonly string[]
  /** Saved queries that read them. */
  readonly queries: readonly string[]
  /** Users who may read them. */
  readonly users: readonly string[]
}

export interface Watch {
  readonly health: Health
  touches (datasets: readonly string[]): Touched
  /** What the audit log has since then, ms since 1970. */
  auditSince (since: number): readonly AuditLine[]
  close (): Promise<void>
}

/** Begins to look. */
export function openWatch (platform: HealthPlatform): Watch {
  const health = new Health(platform)
  health.open()
  return {
    health,
    touches: datasets => ({ datasets, queries: [], users: [] }),
    auditSince: () => [],
    async close () {
      await health.close()
    }
  }
}
