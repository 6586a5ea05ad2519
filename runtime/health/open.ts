// What watches the platform as a whole, on the control side: health, and the alerts and tests that go by it.

import { Alerts } from '../alerts/alerts.ts'
import { grantOf } from '../access/rights.ts'
import { backupsOf } from '../backup/backups.ts'
import { describe } from '../errors.ts'
import { Health } from './health.ts'
import { HealthMetrics } from './health-metrics.ts'
import { resultsOf } from './test-task.ts'
import type { Platform } from '../platform.ts'
import type { AuditLine } from './changes.ts'

/** Of the audit log that one answer shows. */
const AUDIT_MAX = 50
/** Users of one problem that are named. */
const USERS_MAX = 200

/** Whom a problem concerns, besides the datasets themselves. */
export interface Touched {
  readonly datasets: readonly string[]
  /** Saved queries that read them. */
  readonly queries: readonly string[]
  /** Users who may read them. */
  readonly users: readonly string[]
}

/** Receipts that are looked through for the newest reload that was applied. */
const RECEIPTS_MAX = 20

export interface Watch {
  readonly health: Health
  readonly alerts: Alerts
  touches (datasets: readonly string[]): Touched
  /** Names of the saved queries that read one of the datasets; whoever keeps them sets it. */
  queriesOf (datasets: readonly string[]): readonly string[]
  /** What the audit log has since then, ms since 1970. */
  auditSince (since: number): readonly AuditLine[]
  close (): Promise<void>
}

/** Begins to look. */
export function openWatch (platform: Omit<Platform, 'watch'>): Watch {
  const { store, access, jobs, observe, log } = platform
  const health = new Health(platform)
  const alerts = new Alerts({
    root: platform.root,
    store,
    log,
    get url () { return platform.url },
    env: process.env,
    samples: async () => (await observe.measured.kept()).flatMap(({ name, values }) => values.map(({ labels, value }) => ({ name, labels: labels as Readonly<Record<string, string | number>>, value })))
  })
  const [backups, tests] = [backupsOf(platform), resultsOf(platform)]
  health.addSource(() => backups.notes())
  health.addSource(() => alerts.notes())
  health.addSource(() => tests.notes())
  health.addWatcher(verdict => alerts.watch(verdict))
  health.addWatcher(() => {
    // One that was refused may have come after it.
    const applied = store.receipts(RECEIPTS_MAX).find(({ outcome }) => outcome === 'applied')
    if (!tests.isNew(applied?.revision ?? 0)) return
    try {
      jobs.start('tests', { startedBy: `reload ${applied?.revision}`, params: { only: 'quick' } })
    } catch (error) {
      // Tests that run already see the new files as well as these would.
      log.info({ reason: describe(error) }, 'The tests after a reload were left out')
    }
  })
  const metrics = new HealthMetrics({ looked: () => platform.fleet.isControl ? health.newest : undefined, alerts: () => alerts.state.alerts, lastBackup: () => backups.lastAt })
  observe.measured.addSource(() => metrics.read())
  health.open()
  const watch: Watch = {
    health,
    alerts,
    queriesOf: () => [],
    touches: datasets => ({ datasets, queries: watch.queriesOf(datasets), users: access.directory.users().filter(({ user, disabled }) => !disabled && datasets.some(dataset => grantOf(access.directory.rights(user), dataset) !== undefined)).map(({ user }) => user).slice(0, USERS_MAX) }),
    auditSince: since => access.audit.read({ from: new Date(since).toISOString(), outcome: 'ok', limit: AUDIT_MAX }).entries.map(({ at, user, action, target }) => ({ at: Date.parse(at), user: user ?? '', action, target })),
    async close () {
      await health.close()
      await alerts.close()
    }
  }
  return watch
}
