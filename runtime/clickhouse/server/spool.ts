/**
 * A place for files that live as long as one request: bodies of inserts, and pipes that answers come through.
 * It is a folder of its own, named after the data folder, so that the next start finds and empties what a crash left.
 *
 *   /dev/shm/twolane-<hash of the data folder>/    where there is memory-backed space to spare
 *   <data folder>/spool/                           elsewhere; the engine has no folder of that name
 *   <folder for temporary files>/twolane-<hash>/   where that path holds characters of a pattern: the engine would look
 *                                                  for files that match it, find none, and insert nothing without a word
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync, rmSync, unlinkSync, writeSync } from 'node:fs'
import { mkdir, open, statfs } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const memoryFolder = '/dev/shm'
const pattern = /[*?{}[\]|]/

export class Spool {
  readonly folder: string
  /** Whether the files lie in memory: then a write is a copy, and is made at once instead of through the thread pool. */
  readonly inMemory: boolean
  #files = 0
  readonly #pipes: string[]

  private constructor (folder: string, inMemory: boolean, pipes: string[]) {
    this.folder = folder
    this.inMemory = inMemory
    this.#pipes = pipes
  }

  /** `roomBytes` is what the memory-backed place must have to spare; `pipes` how many answers may stream at once. */
  static async open (dataFolder: string, { roomBytes, pipes }: { roomBytes: number, pipes: number }): Promise<Spool> {
    const inMemory = await hasRoom(roomBytes)
    const folder = place(resolve(dataFolder), inMemory)
    rmSync(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return new Spool(folder, inMemory, await makePipes(folder, pipes))
  }

  /** A file to write a body to. */
  async file (): Promise<SpoolFile> {
    const path = join(this.folder, `body-${this.#files++}`)
    return this.inMemory ? new MemoryFile(path) : new DiskFile(path, await open(path, 'wx', 0o600))
  }

  /** A pipe for one answer; undefined where the system has none to give. Give it back only when the engine is done with it. */
  takePipe (): string | undefined {
    return this.#pipes.pop()
  }

  returnPipe (path: string): void {
    this.#pipes.push(path)
  }

  close (): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export interface SpoolFile {
  readonly path: string
  write (chunk: Uint8Array): void | Promise<void>
  /** Ends the writing. */
  finish (): Promise<void>
  remove (): Promise<void>
}

class MemoryFile implements SpoolFile {
  readonly path: string
  #descriptor: number | undefined

  constructor (path: string) {
    this.path = path
    this.#descriptor = openSync(path, 'wx', 0o600)
  }

  write (chunk: Uint8Array): void {
    if (this.#descriptor === undefined) throw new Error('write after the end')
    for (let done = 0; done < chunk.length;) done += writeSync(this.#descriptor, chunk, done)
  }

  async finish (): Promise<void> {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  async remove (): Promise<void> {
    await this.finish()
    unlinkSync(this.path)
  }
}

class DiskFile implements SpoolFile {
  readonly path: string
  #handle: FileHandle | undefined

  constructor (path: string, handle: FileHandle) {
    this.path = path
    this.#handle = handle
  }

  async write (chunk: Uint8Array): Promise<void> {
    await this.#handle?.writeFile(chunk)
  }

  async finish (): Promise<void> {
    await this.#handle?.close()
    this.#handle = undefined
  }

  async remove (): Promise<void> {
    await this.finish()
    unlinkSync(this.path)
  }
}

function place (dataFolder: string, inMemory: boolean): string {
  const hash = createHash('sha256').update(dataFolder).digest('hex').slice(0, 16)
  if (inMemory) return join(memoryFolder, `twolane-${hash}`)
  const folder = pattern.test(dataFolder) ? join(tmpdir(), `twolane-${hash}`) : join(dataFolder, 'spool')
  if (pattern.test(folder)) throw new Error(`The folder for temporary files, ${folder}, must not hold any of * ? { } [ ] |`)
  return folder
}

async function hasRoom (bytes: number): Promise<boolean> {
  if (process.platform !== 'linux') return false
  try {
    const { bavail, bsize } = await statfs(memoryFolder)
    return bavail * bsize >= bytes
  } catch {
    return false // No such place: the data folder's disk it is.
  }
}

/** Only Linux keeps a reader waiting that is there before the writer; elsewhere answers are buffered. */
async function makePipes (folder: string, count: number): Promise<string[]> {
  if (process.platform !== 'linux') return []
  const paths = Array.from({ length: count }, (_, i) => join(folder, `answer-${i}`))
  try {
    await promisify(execFile)('mkfifo', ['-m', '600', ...paths], { env: { PATH: '/usr/bin:/bin' } })
    return paths
  } catch {
    return [] // No mkfifo in this system: answers are buffered.
  }
}
