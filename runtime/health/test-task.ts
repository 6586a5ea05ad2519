// The job `tests`, and what the tests of the platform found, in control.db: the newest result of each.

import { describe, PlatformError } from '../errors.ts'
import { manual } from '../jobs/schedule.ts'
import { transaction } from '../sqlite.ts'
import { platformTests } from './platform-tests.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { Opening, Platform } from '../platform.ts'
import type { Task, TaskContext } from '../jobs/task.ts'
import type { Note } from './facts.ts'
import type { Found, TestGround } from './platform-tests.ts'

const TIMEOUT_MS = 2 * 3_600_000

export interface Kept extends Found {
  readonly test: string
  readonly title: string
  readonly ms: number
  /** ms since 1970. */
  readonly at: number
}

export class TestResults {
  readonly #database: DatabaseSync

  constructor (database: DatabaseSync) {
    this.#database = database
    database.exec('create table if not exists platform_tests (test text primary key, state text not null, detail text not null, ms integer not null, at integer not null) strict; create table if not exists tested_revision (one integer primary key check (one = 1), revision integer not null) strict')
  }

  /** All tests; one that has never run is `skipped` with no time. */
  get all (): Kept[] {
    const rows = new Map((this.#database.prepare('select * from platform_tests').all() as unknown as Kept[]).map(row => [row.test, row]))
    return platformTests.map(({ test, title }) => ({ ...rows.get(test) ?? { state: 'skipped' as const, detail: 'it has not run yet', ms: 0, at: 0 }, test, title }))
  }

  keep (test: string, { state, detail }: Found, { ms, at }: { readonly ms: number, readonly at: number }): void {
    this.#database.prepare('insert or replace into platform_tests (test, state, detail, ms, at) values (?, ?, ?, ?, ?)').run(test, state, detail, ms, at)
  }

  notes (): Note[] {
    return this.all.filter(({ state, test }) => state === 'failed' && !shown.has(test)).map(({ test, title, detail }) => ({ part: `test ${test}`, severity: 'error', cause: `The test "${title}" failed: ${detail}`, remedy: 'Correct it, and run the test again: npx twolane check.' }))
  }

  /** Whether a reload was applied that the tests have not seen; true once for each. */
  isNew (revision: number): boolean {
    return transaction(this.#database, () => {
      const known = this.#database.prepare('select revision from tested_revision').get() as { revision: number } | undefined
      this.#database.prepare('insert or replace into tested_revision (one, revision) values (1, ?)').run(revision)
      return known !== undefined && revision > known.revision
    })
  }
}

/** What health tells by itself, and sooner. */
const shown = new Set(['canary', 'connections', 'disk', 'clock'])
const made = new WeakMap<object, TestResults>()

/** Those of one platform, told by its store. */
export function resultsOf ({ store }: Pick<Platform, 'store'>): TestResults {
  const results = made.get(store) ?? new TestResults(store.database)
  made.set(store, results)
  return results
}

/** Params: `only`, names of tests separated by commas, or `quick`; all where it is left out. */
export function testTask (platform: Opening): Task {
  return {
    id: 'tests',
    description: 'Tests the platform: connections, tables, certificates, lakes, the newest backup',
    schedule: { ...manual, retries: 0, timeoutMs: TIMEOUT_MS },
    run: context => run(platform, context)
  }
}

async function run (platform: Opening, { params, signal, log, progress }: TaskContext): Promise<void> {
  const { only, ...others } = params
  const [unknown] = Object.keys(others)
  if (unknown !== undefined || (only !== undefined && typeof only !== 'string')) throw new PlatformError('REQUEST_INVALID', `The tests have no parameter ${unknown ?? 'of that kind'}`, { remedy: 'They take only, names of tests separated by commas.' })
  const wanted = chosen(only)
  // They were there before the first run could begin.
  const { watch, jobs } = platform as Platform
  const ground: TestGround = { platform, verdict: await watch.health.look(), jobs: jobs.list(), making: { signal, onRows: rows => progress({ rows }), say: what => log.info({}, what) } }
  const failures: string[] = []
  for (const [i, { test, run }] of wanted.entries()) {
    signal.throwIfAborted()
    progress({ share: i / wanted.length })
    const began = performance.now()
    const found = await run(ground).catch((error: unknown): Found => {
      signal.throwIfAborted()
      return { state: 'failed', detail: describe(error).split('\n')[0] ?? '' }
    })
    resultsOf(platform).keep(test, found, { ms: Math.round(performance.now() - began), at: Date.now() })
    if (found.state === 'failed') failures.push(test)
    log.info({ test, ...found }, 'Tested')
  }
  progress({ share: 1 })
  if (failures.length > 0) throw new PlatformError('TESTS_FAILED', `${failures.join(', ')} failed`, { remedy: 'GET /v1/tests says why.' })
}

/** The tests of a comma-separated list. Throws NOT_FOUND. */
export function chosen (only: string | undefined): typeof platformTests {
  if (only === undefined || only === '') return platformTests
  if (only === 'quick') return platformTests.filter(({ quick }) => quick)
  return only.split(',').map(name => {
    const test = platformTests.find(({ test }) => test === name.trim())
    if (test === undefined) throw new PlatformError('NOT_FOUND', `There is no test ${name}`, { remedy: `There are ${platformTests.map(({ test }) => test).join(', ')}.` })
    return test
  })
}
