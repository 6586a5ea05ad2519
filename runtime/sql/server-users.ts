// Users of a ClickHouse server for those of the platform, so that a client can log in there with a token, as
// `twolane_<user>.<id of the token>`, and see what the token sees here. For each token that holds and has the scope sql:read
// there is one; what it is made of is clickhouse/access.ts.
//
// They are brought up to date at the start, after each change of access, when datasets or their columns change (looked at
// once a minute), and every ten minutes whatever has changed: a view that was made anew has lost for whom it reads. A server
// that refuses, or does not answer, holds up nothing: health says so, and it is tried again.

import { grantOf } from '../access/rights.ts'
import { applyAccess, revokeAccess } from '../clickhouse/access-apply.ts'
import { connectClickHouse } from '../clickhouse/client.ts'
import { queryLimits } from '../data/stream.ts'
import { describe } from '../errors.ts'
import { Waker } from '../waker.ts'
import { worldsOf } from './run.ts'
import { visibleOf } from './world.ts'
import type { Access } from '../access/access.ts'
import type { AccessQuota, AccessUser } from '../clickhouse/access.ts'
import type { Note } from '../health/facts.ts'
import type { Platform } from '../platform.ts'
import type { Catalog } from './world.ts'

const LOOK_MS = 60_000
const AGAIN_MS = 600_000
const STATEMENT_SECONDS_MAX = 30

/** Nothing happens unless clickhouse_users says so. What is returned ends it, waits for what is under way, and never throws. */
export function keepServerUsers (platform: Platform): () => Promise<void> {
  if (platform.config.clickhouseUsers === 'none') return async () => {}
  const users = new ServerUsers(platform)
  users.open()
  return () => users.close()
}

class ServerUsers {
  readonly #platform: Platform
  readonly #stop = new AbortController()
  readonly #waker = new Waker()
  #changed = false
  #done: { readonly text: string, readonly at: number } | undefined
  #trouble = ''
  #ended = Promise.resolve()

  constructor (platform: Platform) {
    this.#platform = platform
  }

  open (): void {
    const { access, watch } = this.#platform
    watch.health.addSource(() => this.#notes())
    access.onChange(() => {
      this.#changed = true
      this.#waker.wake()
    })
    this.#ended = this.#keep()
  }

  async close (): Promise<void> {
    this.#stop.abort()
    this.#waker.wake()
    await this.#ended
  }

  async #keep (): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#changed = false
      try {
        if (this.#platform.fleet.isControl) await this.#bring()
        this.#trouble = ''
      } catch (error) {
        const reason = describe(error)
        if (reason !== this.#trouble && !this.#stop.signal.aborted) this.#platform.log.error({ reason }, 'The users of the ClickHouse server could not be brought up to date')
        this.#trouble = reason
      }
      // What changed meanwhile is not in what was done.
      if (!this.#changed && !this.#stop.signal.aborted) await this.#waker.sleep(LOOK_MS)
    }
  }

  async #bring (): Promise<void> {
    const { access, config, clickhouse } = this.#platform
    const isKept = config.clickhouseUsers === 'keep'
    const catalog = isKept ? await worldsOf(this.#platform).catalog() : undefined
    const wanted = catalog === undefined ? [] : wantedUsers(access, catalog)
    const text = JSON.stringify(wanted)
    if (this.#done?.text === text && (!isKept || performance.now() - this.#done.at < AGAIN_MS)) return
    const client = await connectClickHouse(clickhouse as string, { statementSeconds: STATEMENT_SECONDS_MAX, signal: this.#stop.signal })
    try {
      if (isKept) await applyAccess(client, wanted, { limits: queryLimits.streaming })
      else await revokeAccess(client)
      this.#done = { text, at: performance.now() }
    } finally {
      await client.close()
    }
  }

  #notes (): Note[] {
    if (this.#trouble === '') return []
    return [{
      part: 'clickhouse users',
      severity: 'error',
      cause: `The users of the ClickHouse server are not up to date, so a token that was revoked may still let in there: ${this.#trouble}`,
      remedy: 'The platform\'s user there needs ACCESS MANAGEMENT; it is tried again once a minute. runtime/sql/README.md has what else it needs.'
    }]
  }
}

/** What there should be, by what tokens, users and datasets are now. */
export function wantedUsers (access: Pick<Access, 'tokens' | 'directory' | 'rightsOfToken'>, { datasets }: Pick<Catalog, 'datasets'>): AccessUser[] {
  return access.tokens.held().flatMap(token => {
    const rights = access.rightsOfToken(token)
    if (!rights.scopes.has('sql:read')) return []
    const views = [...datasets].flatMap(([name, columns]) => {
      const point = name.indexOf('.')
      const grant = grantOf(rights, name.slice(point + 1))
      const visible = grant === undefined ? undefined : visibleOf(columns, grant)
      return visible === undefined ? [] : [{ database: name.slice(0, point), view: name.slice(point + 1), columns: grant?.columns === undefined ? undefined : visible.columns, condition: visible.condition }]
    })
    const quota = quotaOf(`${token.user}.quota`, access.directory.user(token.user)?.quota) ?? quotaOf(`${token.user}.${token.id}`, token.quota)
    return [{ user: `${token.user}.${token.id}`, passwordHash: token.hash, until: token.expires, rights: views, quota }]
  })
}

/** undefined: it bounds nothing. ClickHouse goes by one quota of a user, so where the owner of a token has one, it is that. */
function quotaOf (name: string, bounds: { readonly requests_per_second: number | null, readonly rows_per_day: number | null } | undefined): AccessQuota | undefined {
  const { requests_per_second: requests = null, rows_per_day: rows = null } = bounds ?? {}
  return requests === null && rows === null ? undefined : { name, requestsPerSecond: requests ?? undefined, rowsPerDay: rows ?? undefined }
}
