// What a power cut could take, seen in the calls of a process: bytes that were written and not synced, and names that a
// folder got and that were not synced. A sync that failed makes nothing durable, and neither does one that began before
// the write. Where a process acknowledges while there is something of that kind, it promises too much.

import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Call } from './trace.ts'

/** Shared memory of SQLite, made anew at each start; files that nobody knows of yet. */
const passing = (path: string): boolean => path.endsWith('-shm') || path.includes('/_tmp')

export class Durability {
  readonly #folder: string
  /** Paths that have a name in their folder. */
  readonly #known = new Set<string>()
  /** `bytes <path>` and `name <path>`, each with a number that grows with each change. */
  readonly #open = new Map<string, number>()
  #changes = 0

  constructor (folder: string) {
    this.#folder = folder
  }

  /** All that is in the folder now counts as durable. */
  begin (): void {
    for (const name of readdirSync(this.#folder, { recursive: true, encoding: 'utf8' })) this.#known.add(join(this.#folder, name))
  }

  /** The calls of the next process. Returns what was not durable when it acknowledged something, such as `name /data/x`. */
  follow (calls: readonly Call[]): string[] {
    const moments = calls.flatMap((call, i) => [{ at: call.begun, i, call, ends: false }, { at: call.ended, i, call, ends: true }])
      .sort((a, b) => a.at - b.at || a.i - b.i || Number(a.ends) - Number(b.ends))
    const syncs = new Map<Call, ReadonlyMap<string, number>>()
    const missing = new Set<string>()
    for (const { call, ends } of moments) {
      if (isSync(call)) {
        if (ends) this.#synced(call, syncs.get(call))
        else syncs.set(call, new Map(this.#open))
      } else if (ends) this.#change(call)
      else if (isAck(call)) for (const what of this.#open.keys()) if (!this.#isLogged(what)) missing.add(what)
    }
    return [...missing]
  }

  /** Bytes of a database that its write-ahead log still has: SQLite syncs the one before it begins the other anew. */
  #isLogged (what: string): boolean {
    return what.startsWith('bytes ') && this.#known.has(`${what.slice(6)}-wal`)
  }

  #change ({ name, args, result }: Call): void {
    if (result === undefined || !/^\d/.test(result)) return
    const [from = '', to = ''] = pathsOf(args)
    switch (name) {
      case 'write': case 'pwrite64': case 'writev': case 'pwritev':
        this.#name(fileOf(args))
        return this.#mark('bytes', fileOf(args))
      case 'open': case 'openat':
        // Cut to nothing is a change, too.
        if (args.includes('O_TRUNC') && this.#known.has(from)) this.#mark('bytes', from)
        // A write-ahead log that is empty may go.
        return args.includes('O_CREAT') && !from.endsWith('-wal') ? this.#name(from) : undefined
      case 'mkdir': case 'mkdirat': return this.#name(from)
      case 'unlink': case 'unlinkat': return this.#gone(from)
      case 'link': case 'linkat':
        if (this.#open.has(`bytes ${from}`)) this.#mark('bytes', to)
        return this.#name(to)
      default: {
        const bytes = this.#open.has(`bytes ${from}`)
        this.#gone(from)
        this.#gone(to)
        this.#name(to)
        if (bytes) this.#mark('bytes', to)
      }
    }
  }

  #name (path: string): void {
    if (this.#known.has(path)) return
    this.#mark('name', path)
    this.#known.add(path)
  }

  #gone (path: string): void {
    this.#known.delete(path)
    this.#open.delete(`bytes ${path}`)
    this.#open.delete(`name ${path}`)
  }

  #mark (what: 'bytes' | 'name', path: string): void {
    if (path.startsWith(`${this.#folder}/`) && !passing(path)) this.#open.set(`${what} ${path}`, ++this.#changes)
  }

  #synced ({ args, result }: Call, before: ReadonlyMap<string, number> = new Map()): void {
    if (result !== '0') return
    const path = fileOf(args)
    for (const [what, change] of before) {
      const settled = what === `bytes ${path}` || (what.startsWith('name ') && dirname(what.slice(5)) === path)
      if (settled && this.#open.get(what) === change) this.#open.delete(what)
    }
  }
}

function isSync ({ name }: Call): boolean {
  return name === 'fsync' || name === 'fdatasync'
}

export function isAck ({ name, args }: Call): boolean {
  return name === 'write' && /^1<[^>]*>, "ack /.test(args)
}

/** The path of the descriptor that a call begins with. */
export function fileOf (args: string): string {
  return /^\d+<([^>]*)>/.exec(args)?.[1] ?? ''
}

/** The paths that a call names. */
function pathsOf (args: string): string[] {
  return [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, path = '']) => path)
}
