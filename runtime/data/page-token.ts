// Where the next page begins, in a text that only this platform can read and make. It holds values of the order, which
// may be of columns that are not granted, so it is encrypted, not only signed (AES-256-GCM, key in control.db).

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { PlatformError } from '../errors.ts'

export interface PageToken {
  /** Of the question: another one cannot go on with it. */
  readonly question: string
  /** The boundary that all pages keep to; null: there was none. */
  readonly seq: number | null
  /** Nanoseconds since 1970 as text: what `last` meant at the first page. */
  readonly start: string | null
  readonly end: string | null
  /** The order's columns of the last row. */
  readonly after: readonly string[]
  /** Rows that `limit` leaves; null: there is no limit. */
  readonly left: number | null
  /** ms since 1970. */
  readonly at: number
}

const IV_BYTES = 12
const TAG_BYTES = 16
const LETTERS_MAX = 16_384

const keys = new WeakMap<DatabaseSync, Buffer>()

function keyOf (database: DatabaseSync): Buffer {
  const known = keys.get(database)
  if (known !== undefined) return known
  database.exec('create table if not exists data_keys (name text primary key, key blob not null) strict')
  database.prepare('insert or ignore into data_keys values (\'page\', ?)').run(randomBytes(32))
  const { key } = database.prepare('select key from data_keys where name = \'page\'').get() as { key: Uint8Array }
  keys.set(database, Buffer.from(key))
  return Buffer.from(key)
}

export function sealToken (database: DatabaseSync, token: PageToken): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', keyOf(database), iv)
  const text = Buffer.concat([cipher.update(JSON.stringify(token), 'utf8'), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url')
}

/** Throws REQUEST_INVALID where it is none, or one of another question. */
export function openToken (database: DatabaseSync, text: string, question: string): PageToken {
  const token = decrypt(database, text)
  if (token === undefined) throw new PlatformError('REQUEST_INVALID', 'page_token is none of this platform', { remedy: 'Send next_page_token of the answer before as it is, or begin without one.' })
  if (token.question !== question) throw new PlatformError('REQUEST_INVALID', 'page_token belongs to another question', { remedy: 'Keep all other parameters as they were on the first page.' })
  return token
}

function decrypt (database: DatabaseSync, text: string): PageToken | undefined {
  const bytes = Buffer.from(text.slice(0, LETTERS_MAX), 'base64url')
  if (text.length > LETTERS_MAX || bytes.length <= IV_BYTES + TAG_BYTES) return undefined
  try {
    const decipher = createDecipheriv('aes-256-gcm', keyOf(database), bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
    return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString()) as PageToken
  } catch {
    // Whatever is wrong with it, it was not made here.
    return undefined
  }
}

/** Names a question: all of its parts in a form that does not depend on their order. */
export function questionOf (parts: Readonly<Record<string, unknown>>): string {
  return createHash('sha256').update(JSON.stringify(parts, (_, value: unknown) => typeof value === 'bigint' ? String(value) : isPlain(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1)) : value)).digest('base64url')
}

function isPlain (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
