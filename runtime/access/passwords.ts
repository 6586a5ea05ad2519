// Passwords: argon2id, written as `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, so that a later change of the costs still
// knows the old ones. Hashing takes 50 ms and 19 MiB: it runs off the event loop, two at a time.

import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { PlatformError } from '../errors.ts'

const hash = promisify(argon2)

/** KiB, passes, lanes. */
const costs = { memory: 19_456, passes: 2, parallelism: 1 }
const HASH_BYTES = 32
const SALT_BYTES = 16
const AT_ONCE_MAX = 2
/** Beyond that a login is told to come again: each one that waits holds a connection. */
const WAITING_MAX = 50

export const PASSWORD_CHARACTERS_MIN = 8
export const PASSWORD_CHARACTERS_MAX = 128

let running = 0
const waiting: Array<() => void> = []

/** Throws REQUEST_INVALID unless a password may be used by this user: long enough, and none of those that are tried first. */
export async function checkPassword (password: string, user: string): Promise<void> {
  const characters = [...password].length
  if (characters < PASSWORD_CHARACTERS_MIN || characters > PASSWORD_CHARACTERS_MAX) throw refused(`A password has ${PASSWORD_CHARACTERS_MIN} to ${PASSWORD_CHARACTERS_MAX} characters`)
  const plain = password.toLowerCase()
  if (plain === user.toLowerCase() || new Set(plain).size < 3) throw refused('This password is guessed at once')
  if ((await commonPasswords()).has(plain)) throw refused('This password is one of the most used ones')
}

function refused (message: string): PlatformError {
  return new PlatformError('PASSWORD_REFUSED', message, { remedy: 'Take a longer one that nobody else has, such as four words that do not belong together.' })
}

let common: Promise<ReadonlySet<string>> | undefined

/** 49,000 of them; read when the first password is set, as most starts need none. */
function commonPasswords (): Promise<ReadonlySet<string>> {
  common ??= import('@zxcvbn-ts/language-common').then(({ dictionary }) => new Set(dictionary['passwords-common'].map(String)))
  return common
}

/** The text to keep. */
export async function hashPassword (password: string): Promise<string> {
  const nonce = randomBytes(SALT_BYTES)
  const { memory, passes, parallelism } = costs
  const bytes = await hashOf(password, nonce, costs)
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${encode(nonce)}$${encode(bytes)}`
}

/** Takes as long where there is nothing to compare with: an unknown user looks like a known one. */
export async function isPassword (password: string, kept: string | undefined): Promise<boolean> {
  const [, memory, passes, parallelism, salt = '', expected = ''] = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/-]+)\$([\w+/-]+)$/.exec(kept ?? '') ?? []
  const known = expected !== ''
  const bytes = await hashOf(password, known ? Buffer.from(salt, 'base64') : Buffer.alloc(SALT_BYTES), known ? { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) } : costs)
  const other = known ? Buffer.from(expected, 'base64') : Buffer.alloc(HASH_BYTES)
  return bytes.length === other.length && timingSafeEqual(bytes, other) && known
}

async function hashOf (password: string, nonce: Buffer, costs: { readonly memory: number, readonly passes: number, readonly parallelism: number }): Promise<Buffer> {
  if (running >= AT_ONCE_MAX) {
    if (waiting.length >= WAITING_MAX) throw new PlatformError('TOO_MANY_REQUESTS', 'Too many logins at once', { remedy: 'Try again in a few seconds.', retryAfterSeconds: 5 })
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.push(resolve)
    // Whoever ends hands its place on.
    await promise
  } else {
    running++
  }
  try {
    return await hash('argon2id', { message: password.normalize('NFC'), nonce, tagLength: HASH_BYTES, ...costs })
  } finally {
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }
}

function encode (bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '')
}
