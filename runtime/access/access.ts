// Who may do what. Everything is refused unless it is granted; what is granted is put together anew for each request, so a
// change holds for the next one, and `isValid` tells those that go on for long (streams) that theirs has ended.
//
//   user ── roles, teams, grants ─▶ rights (rights.ts)
//     ├─ session: a cookie (sessions.ts)            ─▶ principal: the user's rights
//     └─ token: for programs (tokens.ts)            ─▶ principal: what the token has of the user's rights
//   the admin token of the installation (store.ts)  ─▶ principal: everything

import { masker } from '../mask.ts'
import { PlatformError } from '../errors.ts'
import { transaction } from '../sqlite.ts'
import { Audit } from './audit.ts'
import { Directory } from './directory.ts'
import { Lockout } from './lockout.ts'
import { hashPassword, isPassword } from './passwords.ts'
import { unlimited } from './principal.ts'
import { everything, fingerprint, grantOf, lacks, nothing } from './rights.ts'
import { ADMIN_ROLE } from './roles.ts'
import { RowQuota } from './row-quota.ts'
import { Sessions } from './sessions.ts'
import { SetupCode } from './setup-code.ts'
import { checkStandings, refuseUnless, standingsOf } from './standings.ts'
import { makeTables } from './tables.ts'
import { Tokens } from './tokens.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { Audited } from './audit.ts'
import type { StoredQuota, User } from './directory.ts'
import type { Principal, Quota } from './principal.ts'
import type { Rights } from './rights.ts'
import type { Session } from './sessions.ts'
import type { Token } from './tokens.ts'

const SETTLE_MS = 10_000

export interface AccessOptions {
  /** control.db */
  readonly database: DatabaseSync
  readonly dataFolder: string
  /** That the audit log never holds. */
  readonly secrets: readonly string[]
  /** ms since 1970. */
  readonly now?: () => number
  /** Told when something could not be written in the background. */
  readonly onTrouble?: (error: unknown) => void
}

/** Who makes a change, and from where. */
export interface By {
  readonly principal: Principal | undefined
  readonly address: string | undefined
}

export interface Opened extends Session {
  /** For the cookie. */
  readonly secret: string
}

export class Access {
  readonly audit: Audit
  readonly directory: Directory
  readonly sessions: Sessions
  readonly tokens: Tokens
  readonly lockout: Lockout
  readonly setupCode: SetupCode
  readonly #database: DatabaseSync
  readonly #quota: RowQuota
  readonly #now: () => number
  readonly #rights = new WeakMap<Principal, Rights>()
  readonly #listeners: Array<() => void> = []
  readonly #settling: NodeJS.Timeout

  constructor ({ database, dataFolder, secrets, now = Date.now, onTrouble = () => {} }: AccessOptions) {
    makeTables(database)
    this.#database = database
    this.#now = now
    this.audit = new Audit({ database, folder: dataFolder, now, mask: masker(secrets) })
    this.directory = new Directory(database)
    this.sessions = new Sessions(database, now)
    this.tokens = new Tokens(database, now)
    this.lockout = new Lockout(database, now)
    this.setupCode = new SetupCode(now)
    this.#quota = new RowQuota(database, now)
    this.#settling = setInterval(() => {
      try {
        this.audit.settle(this.#now())
        this.audit.archive()
        this.#quota.write()
      } catch (error) {
        onTrouble(error)
      }
    }, SETTLE_MS)
    this.#settling.unref()
  }

  /** Writes what is still in memory. */
  close (): void {
    clearInterval(this.#settling)
    this.audit.settle()
    this.#quota.write()
  }

  /** The code for the first user, to be shown to whoever starts the platform; undefined: there is a user. */
  makeSetupCode (): string | undefined {
    return this.directory.isEmpty ? this.setupCode.make() : undefined
  }

  /** undefined: there is no such token, it has expired, or its owner may not log in. */
  principalOfToken (secret: string): Principal | undefined {
    const token = this.tokens.find(secret)
    const owner = token === undefined ? undefined : this.directory.user(token.user)
    if (token === undefined || owner === undefined || owner.disabled) return undefined
    return this.#principal({ kind: 'token', user: owner.user, token: token.id, quota: smaller(token.quota, owner.quota) }, () => this.rightsOfToken(token), () => this.tokens.holds(token.id))
  }

  principalOfSession (session: Session): Principal | undefined {
    const user = this.directory.user(session.user)
    if (user === undefined || user.disabled) return undefined
    return this.#principal({ kind: 'user', user: user.user, token: undefined, quota: smaller(user.quota) }, () => this.directory.rights(user.user), () => this.sessions.isOpen(session.id))
  }

  /**
   * Who asked for something that goes on in the background, also after a restart: a user whose session has ended, a
   * token; not the admin. undefined: they may not any more.
   */
  principalOfWork ({ kind, user: name, token: id }: Pick<Principal, 'kind' | 'user' | 'token'>): Principal | undefined {
    const user = this.directory.user(name)
    const token = id === undefined ? undefined : this.tokens.get(id)
    if (user === undefined || user.disabled || kind === 'admin' || (kind === 'token' && (token === undefined || !this.tokens.holds(token.id)))) return undefined
    if (token !== undefined) return this.#principal({ kind, user: name, token: token.id, quota: smaller(token.quota, user.quota) }, () => this.rightsOfToken(token), () => this.tokens.holds(token.id))
    return this.#principal({ kind, user: name, token: undefined, quota: smaller(user.quota) }, () => this.directory.rights(name), () => this.directory.user(name)?.disabled === false)
  }

  rightsOf (principal: Principal): Rights {
    if (principal.kind === 'admin') return everything
    return this.#rights.get(principal) ?? { ...nothing, scopes: principal.scopes }
  }

  /** What a token has now: never more than its owner. */
  rightsOfToken (token: Token): Rights {
    const owner = this.directory.rights(token.user)
    return { ...owner, scopes: new Set(token.scopes.filter(scope => owner.scopes.has(scope))), within: token.grants ?? undefined }
  }

  /**
   * Changes something of access: all of it with its entry in the audit log, or nothing. Throws where somebody would give, or
   * take, what they do not have themselves, or where no admin would be left. Those who may do other things than before have
   * to log in again.
   */
  change<T> (by: By, entry: Pick<Audited, 'action' | 'target' | 'detail'>, work: () => T): T {
    const result = this.#changed(by, entry, work)
    for (const listener of this.#listeners) listener()
    return result
  }

  /** Called after each change of users, teams, roles, grants, passwords and tokens. Must not throw. */
  onChange (listener: () => void): void {
    this.#listeners.push(listener)
  }

  #changed<T> (by: By, entry: Pick<Audited, 'action' | 'target' | 'detail'>, work: () => T): T {
    const before = standingsOf(this.directory)
    try {
      return transaction(this.#database, () => {
        const result = work()
        const giver = by.principal === undefined ? { rights: everything, quota: unlimited } : { rights: this.rightsOf(by.principal), quota: by.principal.quota }
        for (const user of checkStandings(giver, before, standingsOf(this.directory))) this.sessions.endAll(user)
        this.audit.add({ ...by, ...entry, outcome: 'ok' })
        return result
      })
    } catch (error) {
      // What was read within the transaction was never there.
      this.directory.forget()
      throw error
    }
  }

  /** Throws SCOPE_MISSING where the principal lacks some of the rights. */
  checkGives (principal: Principal, given: Partial<Pick<Rights, 'scopes' | 'grants' | 'plugins'>>): void {
    refuseUnless(lacks(this.rightsOf(principal), { ...nothing, ...given }))
  }

  /** Opens a session for a user and a password. Throws UNAUTHORIZED, with the same words and after the same time for an unknown user, or TOO_MANY_REQUESTS. */
  async login ({ user, password, address }: { readonly user: string, readonly password: string, readonly address: string }): Promise<Opened> {
    try {
      await this.checkLogin({ user, password, address })
      const opened = this.openSession(user, address, { with: 'password' })
      this.lockout.succeed(user, address)
      return opened
    } catch (error) {
      if (error instanceof PlatformError) throw error
      throw new PlatformError('ACCESS_UNAVAILABLE', 'Nobody can log in: the database of the control side does not answer', { remedy: 'See the log of the platform; restart it when its disk is well.', cause: error })
    }
  }

  /** Throws as `login`. A guess counts before it is checked, so that many at once count, too. */
  async checkLogin ({ user, password, address }: { readonly user: string, readonly password: string, readonly address: string }): Promise<void> {
    const seconds = this.lockout.waitSeconds(user, address)
    if (seconds > 0) throw new PlatformError('TOO_MANY_REQUESTS', 'Too many wrong passwords', { remedy: `Try again in ${seconds} s.`, retryAfterSeconds: seconds })
    this.lockout.fail(user, address)
    const kept = this.directory.user(user)
    const fits = await isPassword(password, kept?.password)
    const { password: now, disabled } = this.directory.user(user) ?? { disabled: true }
    if (!fits || disabled || now !== kept?.password) throw new PlatformError('UNAUTHORIZED', 'The user or the password is wrong', { remedy: 'Try again, or ask an admin for a new password.' })
  }

  openSession (user: string, address: string, detail: Audited['detail'] = {}): Opened {
    return transaction(this.#database, () => {
      const known = this.directory.user(user)
      if (known === undefined || known.disabled) throw new PlatformError('UNAUTHORIZED', 'This user may not log in')
      this.directory.putUser({ ...known, lastLogin: this.#now() })
      this.audit.add({ principal: undefined, user, address, action: 'login', target: user, outcome: 'ok', detail })
      return this.sessions.open(user)
    })
  }

  /** A user with nothing in it. */
  newUser (user: string, fields: Partial<User> = {}): User {
    return { user, title: '', email: '', roles: [], providerRoles: [], teams: [], grants: [], quota: { requests_per_second: null, rows_per_day: null }, disabled: false, created: this.#now(), lastLogin: undefined, password: undefined, subject: undefined, ...fields }
  }

  /** Makes the first user, who may do everything. Throws NAME_TAKEN where there is a user already. */
  async setUp ({ user, password, code, address }: { readonly user: string, readonly password: string, readonly code: string, readonly address: string }): Promise<Opened> {
    const check = (): void => {
      if (!this.directory.isEmpty) throw new PlatformError('NAME_TAKEN', 'The platform has been set up', { remedy: 'Log in, or ask an admin for a user.' })
      if (!this.setupCode.fits(code)) throw new PlatformError('UNAUTHORIZED', 'The setup code is wrong, or has expired', { remedy: 'Take the link that the platform printed at its start; it holds for 30 minutes, and a restart makes another one.' })
    }
    check()
    const hash = await hashPassword(password)
    // Two at once: the second one finds the first one's user.
    check()
    this.change({ principal: undefined, address }, { action: 'setup', target: user }, () => this.directory.putUser(this.newUser(user, { roles: [ADMIN_ROLE], password: hash })))
    this.setupCode.end()
    return this.openSession(user, address, { with: 'setup code' })
  }

  /** Counts rows that a principal gets. Throws QUOTA_EXCEEDED, and counts nothing, where these are more than are left today. */
  takeRows (principal: Principal, rows: number): void {
    if (principal.kind === 'admin') return
    const owner = this.directory.user(principal.user)?.quota.rows_per_day ?? undefined
    const token = principal.token === undefined ? undefined : this.tokens.get(principal.token)
    this.#quota.take([
      { key: `user ${principal.user}`, max: owner },
      ...token === undefined ? [] : [{ key: `token ${token.id}`, max: token.quota.rows_per_day ?? undefined }]
    ], rows)
  }

  /** Rows of today (UTC): those of the token, or of the user with all of their tokens. */
  rowsToday (principal: Principal): number {
    return principal.kind === 'admin' ? 0 : this.#quota.today(principal.token === undefined ? `user ${principal.user}` : `token ${principal.token}`)
  }

  #principal (who: Pick<Principal, 'kind' | 'user' | 'token' | 'quota'>, rightsNow: () => Rights, isHeld: () => boolean): Principal {
    const rights = rightsNow()
    let version = this.directory.version
    let ended = false
    const isValid = (): boolean => {
      try {
        ended ||= !isHeld()
        if (!ended && version !== this.directory.version) {
          version = this.directory.version
          ended = fingerprint(rightsNow()) !== fingerprint(rights)
        }
      } catch {
        // Whether it still holds cannot be told: then it does not.
        return false
      }
      return !ended
    }
    const principal: Principal = { ...who, scopes: rights.scopes, plugins: rights.plugins, grant: dataset => grantOf(rights, dataset), isValid }
    this.#rights.set(principal, rights)
    return principal
  }
}

/** The stricter one of each. */
function smaller (...quotas: readonly StoredQuota[]): Quota {
  const least = (numbers: ReadonlyArray<number | null>): number | undefined => {
    const bounds = numbers.filter(number => number !== null)
    return bounds.length === 0 ? undefined : Math.min(...bounds)
  }
  return { requestsPerSecond: least(quotas.map(quota => quota.requests_per_second)), rowsPerDay: least(quotas.map(quota => quota.rows_per_day)) }
}
