import type { Connection, Engine } from './engine.ts'
import { fault } from './errors.ts'

interface Session {
  readonly connection: Connection
  /** Parameters that former requests left on the connection, where nothing can remove them. */
  readonly leftovers: Set<string>
  busy: boolean
  expiry: NodeJS.Timeout | undefined
}

const sessionsMax = 64

/** HTTP sessions: a connection kept between requests, with its temporary tables and what SET left on it. One query at a time each. */
export class Sessions {
  readonly #engine: Engine
  readonly #sessions = new Map<string, Session>()

  constructor (engine: Engine) {
    this.#engine = engine
  }

  /** The session's connection, to be given back with `release`. */
  take (id: string, mustExist: boolean): Pick<Session, 'connection' | 'leftovers'> {
    let session = this.#sessions.get(id)
    if (session === undefined) {
      if (mustExist) throw fault('SESSION_NOT_FOUND', `Session ${id} not found`)
      if (this.#sessions.size >= sessionsMax) throw fault('TOO_MANY_SIMULTANEOUS_QUERIES', `Too many sessions. Maximum: ${sessionsMax}`)
      session = { connection: this.#engine.connect(), leftovers: new Set(), busy: false, expiry: undefined }
      this.#sessions.set(id, session)
    }
    if (session.busy) throw fault('SESSION_IS_LOCKED', `Session ${id} is locked by a concurrent client`)
    session.busy = true
    clearTimeout(session.expiry)
    return session
  }

  release (id: string, timeoutSeconds: number): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    session.busy = false
    session.expiry = setTimeout(() => { this.drop(id) }, timeoutSeconds * 1000)
    session.expiry.unref()
  }

  /** Forgets a session, also one whose state is not known any more. */
  drop (id: string): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    clearTimeout(session.expiry)
    this.#sessions.delete(id)
    session.connection.close()
  }

  close (): void {
    for (const id of [...this.#sessions.keys()]) this.drop(id)
  }
}
