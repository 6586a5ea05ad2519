// Files of this machine's folders, found by a path or a glob.

import { open, readdir, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { PlatformError } from '../errors.ts'
import { baseOf, compileGlob, isGlob, partsOf } from './glob.ts'
import type { Dirent } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { FileEntry, OpenFile, Shelf } from './shelf.ts'

/** Folders inside each other that are looked into. */
const depthMax = 64
const statsAtOnce = 64

export class FolderShelf implements Shelf {
  readonly address: string
  readonly #root: string
  readonly #where: string

  /** `path`: a file or a glob; a relative one begins at `root`. `where`: the option that has it. */
  constructor (path: string, root: string, where: string) {
    this.address = path
    this.#root = root
    this.#where = where
  }

  async * list (): AsyncGenerator<FileEntry, void, void> {
    // A file may have a name that looks like a glob.
    const found = await stat(resolve(this.#root, this.address), { bigint: true }).catch(() => undefined)
    if (found?.isFile() === true) {
      yield entryOf(this.address, found)
    } else if (isGlob(this.address)) {
      yield * this.#glob()
    } else {
      throw found === undefined
        ? new PlatformError('SOURCE_UNAVAILABLE', `${this.address} does not exist.`, { where: this.#where, remedy: 'Check the path, or write a glob such as folder/*.csv where files come and go.' })
        : new PlatformError('CONFIG_INVALID', `${this.address} is no regular file.`, { where: this.#where, remedy: 'Of a folder, write which files: folder/*.csv, or folder/**/*.csv with the folders in it.' })
    }
  }

  async open (entry: FileEntry): Promise<OpenFile | undefined> {
    const path = resolve(this.#root, entry.name)
    try {
      // Before the open: that of a named pipe without a writer never returns.
      if (!(await stat(path)).isFile()) return undefined
      const handle = await open(path, 'r')
      return new FolderFile(handle, entryOf(entry.name, await handle.stat({ bigint: true })))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new PlatformError('FILE_REFUSED', `${entry.name} cannot be opened: ${(error as Error).message}.`, { where: this.#where, remedy: 'See that the file may be read.', cause: error })
    }
  }

  close (): void { /* it holds nothing open */ }

  async * #glob (): AsyncGenerator<FileEntry, void, void> {
    const base = baseOf(this.address)
    const pattern = this.#compile()
    const parts = partsOf(this.address.slice(base.length))
    if (await stat(resolve(this.#root, base)).then(found => !found.isDirectory(), () => true)) {
      throw new PlatformError('SOURCE_UNAVAILABLE', `The folder ${base === '' ? '.' : base} of ${this.address} does not exist.`, { where: this.#where, remedy: 'Check the path; a relative one begins at the folder of the project.' })
    }
    yield * this.#below(base, { pattern, parts, at: 0 })
  }

  async * #below (folder: string, walk: { readonly pattern: RegExp, readonly parts: readonly string[] | undefined, readonly at: number }): AsyncGenerator<FileEntry, void, void> {
    const { pattern, parts, at } = walk
    if (at > depthMax) throw new PlatformError('CONFIG_INVALID', `${folder} lies more than ${depthMax} folders deep.`, { where: this.#where, remedy: 'Write a glob that looks less deep.' })
    let names: string[] = []
    for (const dirent of await this.#read(folder)) {
      const name = folder + dirent.name
      if (dirent.isDirectory() || dirent.isSymbolicLink()) {
        const deeper = intoFolder(dirent, parts, at) && (dirent.isDirectory() || await isFolder(resolve(this.#root, name)))
        if (deeper) {
          yield * this.#below(`${name}/`, { ...walk, at: at + 1 })
          continue
        }
      }
      if (!pattern.test(name)) continue
      names.push(name)
      if (names.length < statsAtOnce) continue
      yield * await this.#entries(names)
      names = []
    }
    yield * await this.#entries(names)
  }

  /** Of those that are files: others may have such a name, or be gone since the folder was read. */
  async #entries (names: readonly string[]): Promise<FileEntry[]> {
    const found = await Promise.all(names.map(async name => {
      const state = await stat(resolve(this.#root, name), { bigint: true }).catch(() => undefined)
      return state?.isFile() === true ? entryOf(name, state) : undefined
    }))
    return found.filter(entry => entry !== undefined)
  }

  async #read (folder: string): Promise<Dirent[]> {
    try {
      return await readdir(resolve(this.#root, folder), { withFileTypes: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw new PlatformError('SOURCE_UNAVAILABLE', `The folder ${folder} cannot be read: ${(error as Error).message}.`, { where: this.#where, remedy: 'See that the folder may be read.', cause: error })
    }
  }

  #compile (): RegExp {
    try {
      return compileGlob(this.address)
    } catch (error) {
      throw new PlatformError('CONFIG_INVALID', `${this.address} is no glob: ${(error as Error).message}.`, { where: this.#where, remedy: 'Put a backslash before a character that stands for itself.' })
    }
  }
}

/** Whether matches may lie in a folder. A link to a folder is followed where the glob names one, not for `**`: links may lead in a circle. */
function intoFolder (dirent: Dirent, parts: readonly string[] | undefined, at: number): boolean {
  const linked = dirent.isSymbolicLink()
  if (dirent.name.startsWith('.') && parts?.[at]?.startsWith('.') !== true) return false
  if (parts === undefined) return !linked
  const any = parts.indexOf('**')
  if (any !== -1 && at >= any) return !linked
  return at < parts.length - 1 && compileGlob(parts[at] as string).test(dirent.name)
}

function isFolder (path: string): Promise<boolean> {
  return stat(path).then(found => found.isDirectory(), () => false)
}

function entryOf (name: string, { size, mtimeNs }: { readonly size: bigint, readonly mtimeNs: bigint }): FileEntry {
  return { name, bytes: Number(size), version: `${size}-${mtimeNs}`, written: Number(mtimeNs / 1_000_000n) }
}

class FolderFile implements OpenFile {
  readonly entry: FileEntry
  readonly chunkBytes = 3 * 2 ** 18
  readonly #handle: FileHandle

  constructor (handle: FileHandle, entry: FileEntry) {
    this.#handle = handle
    this.entry = entry
  }

  async read (from: number, to: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(to - from)
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, bytes.length - filled, from + filled)
      if (bytesRead === 0) throw new PlatformError('FILE_REFUSED', `${this.entry.name} became shorter while it was read: ${this.entry.bytes} bytes at first, ${from + filled} now.`, { remedy: 'Write files under another name, and rename them once they are complete.' })
      filled += bytesRead
    }
    return bytes
  }

  async changed (): Promise<boolean> {
    return entryOf('', await this.#handle.stat({ bigint: true })).version !== this.entry.version
  }

  async close (): Promise<void> {
    await this.#handle.close()
  }
}
