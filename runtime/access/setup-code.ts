// The first user. There is no default account: while there is no user, each start makes a code, which the one who started
// the platform sees in the terminal. It is good for one user, once, for half an hour; a restart makes another one.

import { randomBytes } from 'node:crypto'
import { hashSecret, isSame } from './sessions.ts'

const CODE_MS_MAX = 30 * 60_000
/** Wrong codes after which the right one is good no more: 128 bits are not guessed, but trying is no use either. */
const WRONG_MAX = 100

export class SetupCode {
  readonly #now: () => number
  #hash: string | undefined
  #until = 0
  #wrong = 0

  constructor (now: () => number) {
    this.#now = now
  }

  /** Makes a code; the one before it holds no more. */
  make (): string {
    const code = randomBytes(16).toString('base64url')
    this.#hash = hashSecret(code)
    this.#until = this.#now() + CODE_MS_MAX
    this.#wrong = 0
    return code
  }

  fits (code: string): boolean {
    if (this.#hash === undefined || this.#now() >= this.#until) return false
    if (isSame(this.#hash, hashSecret(code))) return true
    if (++this.#wrong >= WRONG_MAX) this.#hash = undefined
    return false
  }

  /** It was used. */
  end (): void {
    this.#hash = undefined
  }
}
