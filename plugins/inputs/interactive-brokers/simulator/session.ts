import { EventEmitter } from 'node:events'
import { randomBytes } from 'node:crypto'
import type { FaultName, Faults } from './faults.ts'
import type { Settings } from './settings.ts'

/** What every status answer and `sts` frame says. */
export interface Status {
  readonly authenticated: boolean
  readonly connected: boolean
  readonly competing: boolean
  readonly established: boolean
}

/**
 * The gateway's two tiers: the login (`loggedIn`), and on top of it the brokerage session (`status`).
 * Emits `status` when the brokerage session changes, and `lost` when its streams end with it.
 */
export class Session extends EventEmitter<{ status: [changed: Partial<Status>], lost: [] }> {
  readonly account = 'DU1234567'
  readonly user = 'user1234'
  readonly #settings: Settings
  readonly #faults: Faults
  #id = newId()
  #cookie = newId()
  #loggedIn = true
  #status: Status = { authenticated: true, connected: true, competing: false, established: true }
  #accountsQueried = false
  #bridgeAtMs = 0
  #idle: NodeJS.Timeout | undefined

  constructor (settings: Settings, faults: Faults) {
    super()
    this.setMaxListeners(0) // one for each socket
    this.#settings = settings
    this.#faults = faults
    this.#followFaults()
    this.touch()
  }

  get id (): string { return this.#id }
  get cookie (): string { return this.#cookie }
  get loggedIn (): boolean { return this.#loggedIn }
  get status (): Status { return this.#status }
  get accountsQueried (): boolean { return this.#accountsQueried }
  get bridged (): boolean { return this.#status.authenticated && Date.now() >= this.#bridgeAtMs }

  /** The gateway's clock, which may be wrong. */
  now (trueMs = Date.now()): number {
    const skew = this.#faults.active('clock-skew')
    return trueMs + (skew === undefined ? 0 : Number(skew['ms'] ?? 60_000))
  }

  /** Called for every REST request: they keep the brokerage session alive, frames on the socket do not. */
  touch (): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => this.#expire(), this.#settings.sessionIdleMs).unref()
  }

  queryAccounts (): void {
    this.#accountsQueried = true
  }

  /** ssodh/init: opens the brokerage session; only `compete` wins it back from another login. */
  open (compete: boolean): void {
    if (!this.#loggedIn || (this.#status.competing && !compete)) return
    if (this.#status.authenticated && !this.#status.competing) return
    this.#accountsQueried = false
    this.#bridgeAtMs = Date.now() + this.#settings.bridgeMs
    this.#change({ authenticated: true, competing: false, connected: true, established: true })
    this.#faults.lift('competing')
    this.#faults.lift('unauthenticated')
  }

  logOut (): void {
    this.#faults.set('sso-expired')
  }

  close (): void {
    clearTimeout(this.#idle)
  }

  #followFaults (): void {
    const lost = { authenticated: false, established: false }
    const begin: Partial<Record<FaultName, () => void>> = {
      unauthenticated: () => this.#lose(lost),
      competing: () => this.#lose({ ...lost, competing: true }),
      'sso-expired': () => this.#logOut(),
      maintenance: () => this.#forgetAccounts(),
      'accounts-lost': () => this.#forgetAccounts(),
      'session-change': () => this.#renew()
    }
    const end: Partial<Record<FaultName, () => void>> = {
      unauthenticated: () => this.open(true),
      competing: () => this.open(true),
      'sso-expired': () => this.#logIn()
    }
    this.#faults.on('fault', (name, args) => (args === undefined ? end : begin)[name]?.())
  }

  #forgetAccounts (): void {
    this.#accountsQueried = false
  }

  #logOut (): void {
    this.#loggedIn = false
    this.#lose({ authenticated: false, established: false, connected: false })
  }

  #logIn (): void {
    this.#loggedIn = true
    this.#id = newId()
    this.#cookie = newId()
    this.open(true)
  }

  #renew (): void {
    this.#id = newId()
    this.#cookie = newId()
    this.#accountsQueried = false
    this.emit('lost')
  }

  /** The idle end is the one that nobody is told about. */
  #expire (): void {
    this.#status = { ...this.#status, authenticated: false, established: false }
    this.#accountsQueried = false
    this.emit('lost')
  }

  #lose (changed: Partial<Status>): void {
    this.#accountsQueried = false
    this.#change(changed)
    this.emit('lost')
  }

  #change (changed: Partial<Status>): void {
    this.#status = { ...this.#status, ...changed }
    this.emit('status', changed)
  }
}

function newId (): string {
  return randomBytes(16).toString('hex')
}
