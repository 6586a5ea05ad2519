import { randomUUID } from 'node:crypto'
import { link, open, readdir, readFile, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder, moveFile, storageError, syncFolder } from '../durable.ts'
import type { ByteRange, ObjectEntry, Objects } from './objects.ts'

const scratchName = '_tmp'
/** A lake has a folder a day. */
const CONFIRMED_MAX = 10_000

/** Objects as files below one folder. A rename or a link makes a whole file appear at once; both need one file system. */
export class FolderObjects implements Objects {
  readonly address: string
  readonly scratch: string
  readonly #owner: string
  /** Folders whose own names are durable, as this process has seen to it. */
  readonly #confirmed = new Set<string>()

  constructor (root: string, owner: string) {
    this.address = root
    this.scratch = join(root, scratchName)
    this.#owner = owner
  }

  scratchFile (): string {
    return join(this.scratch, `${this.#owner}${randomUUID()}`)
  }

  put (name: string, file: string): Promise<void> {
    return this.#attempt(async () => {
      const path = join(this.address, name)
      await this.#folderOf(path)
      await moveFile(file, path)
    })
  }

  putIfAbsent (name: string, content: Uint8Array): Promise<boolean> {
    return this.#attempt(async () => {
      const path = join(this.address, name)
      await this.#folderOf(path)
      const aside = this.scratchFile()
      try {
        await writeSynced(aside, content)
        // Unlike a rename, a link fails when the name is taken.
        await link(aside, path)
        await syncFolder(dirname(path))
        return true
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return false
        throw error
      } finally {
        await this.discard(aside)
      }
    })
  }

  confirm (name: string): Promise<void> {
    return this.#attempt(async () => {
      const path = join(this.address, name)
      await this.#folderOf(path)
      await syncFolder(dirname(path))
    })
  }

  read (name: string, range?: ByteRange): Promise<Uint8Array | undefined> {
    return this.#attempt(async () => {
      const path = join(this.address, name)
      try {
        return range === undefined ? await readFile(path) : await readRange(path, range)
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined
        throw error
      }
    })
  }

  async * list (prefix: string): AsyncGenerator<ObjectEntry, void, void> {
    yield * this.#below(prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix)
  }

  delete (name: string): Promise<void> {
    return this.#attempt(() => unlink(join(this.address, name)).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error
    }))
  }

  async discard (file: string): Promise<void> {
    await unlink(file).catch(() => { /* never made, or put already */ })
  }

  check (): Promise<void> {
    return this.#attempt(() => makeFolder(this.scratch))
  }

  close (): void { /* it holds nothing open */ }

  /** `folder` is empty or ends with a slash. */
  async * #below (folder: string, prefix: string): AsyncGenerator<ObjectEntry, void, void> {
    const entries = await readdir(join(this.address, folder), { withFileTypes: true }).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return []
      throw storageError(error, this.address)
    })
    // A folder sorts as its names do, with the slash: `a-b` comes before `a/b`.
    const names = entries.map(entry => entry.isDirectory() ? `${entry.name}/` : entry.name).sort()
    for (const name of names) {
      const path = folder + name
      const isFolder = name.endsWith('/')
      if (path === `${scratchName}/` || !(path.startsWith(prefix) || (isFolder && prefix.startsWith(path)))) continue
      if (isFolder) {
        yield * this.#below(path, prefix)
        continue
      }
      const found = await stat(join(this.address, path)).catch(() => undefined)
      // Removed since the folder was read.
      if (found !== undefined) yield { name: path, bytes: found.size, modifiedAt: found.mtimeMs }
    }
  }

  /** Makes the folder of a file, and sure of it where it is there: whoever made it may have been killed before its name was durable. */
  async #folderOf (path: string): Promise<void> {
    const folder = dirname(path)
    await makeFolder(folder)
    if (this.#confirmed.has(folder)) return
    for (let above = dirname(folder); above.length >= this.address.length; above = dirname(above)) await syncFolder(above)
    await syncFolder(dirname(this.address)).catch((error: unknown) => {
      // A lake may lie in a folder that others own and that cannot be read.
      if (codeOf(error) !== 'EACCES') throw error
    })
    if (this.#confirmed.size >= CONFIRMED_MAX) this.#confirmed.clear()
    this.#confirmed.add(folder)
  }

  async #attempt<T> (task: () => Promise<T>): Promise<T> {
    try {
      return await task()
    } catch (error) {
      throw storageError(error, this.address)
    }
  }
}

async function writeSynced (path: string, content: Uint8Array): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function readRange (path: string, { from, to }: ByteRange): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const buffer = Buffer.alloc(Math.max(0, Math.min(to, size) - from))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function codeOf (error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
