// What was taken of which files. It travels in the checkpoint of the input, so that it becomes durable with the rows,
// and has to stay small there, because every batch writes it anew:
//
//   checkpoint   current   the file that is being read, by its name, and how far it was taken
//                recent    up to 500 files: 36 characters each
//                pages     how many pages hold all others
//   page         up to 8,192 files: what another producer of the same topic saved, without rows
//
// A page is written when the rows of all files in it are durable, and counts only once a checkpoint has counted it: a
// crash in between leaves files in both places, which says the same twice. Pages are written anew, as the other one of
// two sets, when most of them is outdated, or to forget files that are gone.
//
//   file         name 9 bytes (of SHA-256) | version 7 bytes (of SHA-256) | finished 1 | taken 6 | CRC-32 of that 4

import { createHash, randomUUID } from 'node:crypto'
import { PlatformError } from '../errors.ts'
import type { Json } from '../plugin.ts'
import type { Mark } from '../formats/feed.ts'

const recentMax = 500
const pageFiles = 8192
const characters = 36
const nameCharacters = 12

/** How far a file was taken. */
export interface Place extends Mark {
  /** Number of the line or row behind it, from 1. */
  readonly line: number
}

export interface Taken extends Mark {
  readonly finished: boolean
  /** Whether it was this version of the file. */
  isOf (version: string): boolean
}

/** The file that is being read. */
export interface Current extends Place {
  readonly name: string
  readonly version: string
  /** This version was found whole before its first row was taken. */
  readonly verified?: true
}

/** Where pages are kept. Without one, all stays in the checkpoint. */
export interface Pages {
  read (key: string): Promise<Json | undefined>
  /** Durable when it resolves. */
  write (key: string, page: Json): Promise<void>
}

interface Saved {
  readonly id: string
  readonly set: number
  readonly pages: number
  readonly recent: string
}

export class Ledger {
  current: Current | undefined
  readonly #store: Pages | undefined
  readonly #id: string
  readonly #files = new Map<string, string>()
  #set: number
  #pages: number
  #recent: string
  /** The last page, which has room. */
  #last = ''
  /** Files in pages, outdated ones included. */
  #paged = 0

  private constructor (store: Pages | undefined, { id, set, pages, recent }: Saved, current: Current | undefined) {
    this.#store = store
    this.#id = id
    this.#set = set
    this.#pages = pages
    this.#recent = recent
    this.current = current
  }

  static async open (checkpoint: Json | undefined, store: Pages | undefined): Promise<Ledger> {
    const { files = { id: randomUUID(), set: 0, pages: 0, recent: '' }, current } = (checkpoint ?? {}) as { readonly files?: Saved, readonly current?: Current }
    const ledger = new Ledger(store, files, current)
    for (let page = 0; page < files.pages; page++) {
      ledger.#last = await ledger.#read(page)
      ledger.#paged += ledger.#last.length / characters
      ledger.#learn(ledger.#last)
    }
    ledger.#learn(files.recent)
    return ledger
  }

  /** Files it knows. */
  get size (): number {
    return this.#files.size
  }

  /** It has to become durable before more is noted. */
  get full (): boolean {
    return this.#store !== undefined && this.#recent.length >= recentMax * characters
  }

  get checkpoint (): Json {
    const files = { id: this.#id, set: this.#set, pages: this.#pages, recent: this.#recent }
    return { files, ...(this.current !== undefined && { current: { ...this.current } }) }
  }

  find (name: string): Taken | undefined {
    const noted = this.#files.get(nameKey(name))
    if (noted === undefined) return undefined
    const rest = Buffer.from(noted, 'base64url')
    return { finished: rest[7] === 1, at: rest.readUIntBE(8, 6), crc: rest.readUInt32BE(14), isOf: version => rest.subarray(0, 7).equals(digest(version, 7)) }
  }

  /** Notes how far a file was taken; it replaces what was noted of it before. */
  note ({ name, version }: { readonly name: string, readonly version: string }, { at, crc }: Mark, finished: boolean): void {
    const rest = Buffer.alloc(18)
    digest(version, 7).copy(rest)
    rest[7] = finished ? 1 : 0
    rest.writeUIntBE(at, 8, 6)
    rest.writeUInt32BE(crc, 14)
    const text = nameKey(name) + rest.toString('base64url')
    this.#recent += text
    this.#learn(text)
  }

  /** To be called when the last checkpoint is durable, and nothing was noted since. */
  async settle (): Promise<void> {
    if (!this.full) return
    const room = this.#pages > 0 && this.#last.length + this.#recent.length <= pageFiles * characters
    const page = room ? this.#pages - 1 : this.#pages
    const text = room ? this.#last + this.#recent : this.#recent
    await this.#write(this.#set, page, text)
    this.#paged += this.#recent.length / characters
    this.#last = text
    this.#pages = page + 1
    this.#recent = ''
  }

  /** Like `settle`: forgets files that are not there any more, where it knows more than `filesMax`, and what is outdated. True: there was something, and the checkpoint has to become durable. */
  async tidy (names: Iterable<string>, filesMax: number): Promise<boolean> {
    const crowded = this.#files.size > filesMax
    if (!crowded && this.#paged <= 2 * this.#files.size + pageFiles) return false
    if (crowded) this.#forget(names)
    const all = [...this.#files].map(([name, rest]) => name + rest)
    if (this.#store === undefined) {
      this.#recent = all.join('')
      return true
    }
    const set = 1 - this.#set
    let pages = 0
    for (let i = 0; i < all.length; i += pageFiles) {
      this.#last = all.slice(i, i + pageFiles).join('')
      await this.#write(set, pages++, this.#last)
    }
    this.#set = set
    this.#pages = pages
    this.#paged = all.length
    this.#recent = ''
    return true
  }

  #forget (names: Iterable<string>): void {
    const there = new Set<string>()
    for (const name of names) there.add(nameKey(name))
    for (const name of this.#files.keys()) if (!there.has(name)) this.#files.delete(name)
  }

  #learn (text: string): void {
    for (let at = 0; at < text.length; at += characters) this.#files.set(text.slice(at, at + nameCharacters), text.slice(at + nameCharacters, at + characters))
  }

  async #read (page: number): Promise<string> {
    const found = await this.#store?.read(`${this.#set}.${page}`) as { readonly id: string, readonly files: string } | undefined
    if (found?.id === this.#id) return found.files
    throw new PlatformError('BROKER_OFFSET_LOST', `What was taken of the files before is not known any more: page ${page + 1} of ${this.#pages} is missing in the topic.`, {
      remedy: 'Give the pipeline another name; all files are then taken again.'
    })
  }

  async #write (set: number, page: number, files: string): Promise<void> {
    await this.#store?.write(`${set}.${page}`, { id: this.#id, files })
  }
}

function digest (text: string, bytes: number): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, bytes)
}

function nameKey (name: string): string {
  return digest(name, 9).toString('base64url')
}
