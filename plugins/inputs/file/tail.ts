// The bytes of one file in order, also while others append to it, rename it or cut it off.
//
//   file     |....................#################|· · · · · ·
//            0                    offset           offset + window
//             taken by the caller  window, in memory  not read yet
//
// The caller looks at `window`, takes whole lines from its front and asks for `more`. Memory is bounded by what the
// caller leaves in the window: at most `windowBytesMax`, after which it has to skip.

import { open, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../../../runtime/errors.ts'
import { checksum, headBytesMax, readHead } from './identity.ts'
import { following, siblingsOf } from './rotated.ts'
import type { FileHandle } from 'node:fs/promises'
import type { Context } from '../../../runtime/plugin.ts'
import type { Identity } from './identity.ts'
import type { Finished, Sibling } from './rotated.ts'

const chunkBytes = 3 * 2 ** 18

export interface TailOptions {
  readonly path: string
  readonly follow: boolean
  readonly pollMs: number
  readonly windowBytesMax: number
}

/** Where a reading stood. */
export interface Place extends Identity {
  readonly offset: number
}

/** Used in turns: `open`, then `more` and `take` until there is nothing more, then `open` again, at last `close`. */
export class Tail {
  /** Of the first byte of the window in the file. */
  offset = 0
  /** Nothing follows the window in this file: its last line is complete even without a line end. */
  final = false
  readonly #options: TailOptions
  readonly #context: Context
  #handle: FileHandle | undefined
  #inode = ''
  // The first bytes as they were read, not as they may be by now.
  #head: Buffer = Buffer.alloc(0)
  #checked: { readonly headBytes: number, readonly head: string } | undefined
  #buffer: Buffer = Buffer.allocUnsafe(2 * chunkBytes)
  #start = 0
  #end = 0
  // The path leads to another file by now: this one is read to its end, once more after a pause, for a writer that has not noticed yet.
  #replaced = false

  constructor (options: TailOptions, context: Context) {
    this.#options = options
    this.#context = context
  }

  get window (): Buffer {
    return this.#buffer.subarray(this.#start, this.#end)
  }

  place (): Place {
    const headBytes = Math.min(headBytesMax, this.offset)
    // Once the head is complete it stays: the checksum is taken once.
    if (headBytes !== this.#checked?.headBytes) this.#checked = { headBytes, head: checksum(this.#head.subarray(0, headBytes)) }
    return { inode: this.#inode, ...this.#checked, offset: this.offset }
  }

  take (bytes: number): void {
    this.#start += bytes
    this.offset += bytes
  }

  /**
   * Opens the file, at `place` where it is still the same one, or the next one behind a file that was renamed; false:
   * stopped while waiting for it.
   */
  async open (place: Place | undefined): Promise<boolean> {
    const finished = this.#replaced ? await this.#finished() : undefined
    await this.close()
    this.#start = this.#end = this.offset = 0
    this.final = this.#replaced = false
    this.#head = Buffer.alloc(0)
    this.#checked = undefined
    while (!await this.#tryOpen(this.#options.path)) {
      if (!this.#options.follow) throw missing(this.#options.path)
      this.#context.health({ ok: true, state: 'waiting_for_file', reason: `${this.#options.path} does not exist yet.` })
      if (!await this.#pause()) return false
    }
    if (place !== undefined) await this.#resume(place)
    else if (finished !== undefined) await this.#openNext(finished)
    this.#context.health({ ok: true, state: 'reading' })
    return true
  }

  /**
   * Resolves when the window has grown or has become final: at its end, in a followed file when the path leads to
   * another file or the file was cut off. Until then a followed file is waited for. `ended`: there is nothing more.
   */
  async more (): Promise<'grown' | 'ended' | 'stopped'> {
    let idle = false
    while (true) {
      if (this.#context.signal.aborted) return 'stopped'
      if (this.final) return 'ended'
      if (await this.#fill()) return 'grown'
      if (!this.#options.follow || this.#replaced) {
        this.final = true
        return 'grown'
      }
      if (!idle) this.#context.health({ ok: true, state: 'following' })
      idle = true
      if (!await this.#pause()) return 'stopped'
      if (await this.#isCutOff()) {
        this.final = true
        return 'grown'
      }
      this.#replaced = await this.#isReplaced()
    }
  }

  async close (): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  get #readTo (): number {
    return this.offset + this.#end - this.#start
  }

  async #fill (): Promise<boolean> {
    this.#makeRoom()
    const at = this.#readTo
    const { bytesRead } = await (this.#handle as FileHandle).read(this.#buffer, this.#end, chunkBytes, at)
    if (at < headBytesMax) this.#head = Buffer.concat([this.#head.subarray(0, at), this.#buffer.subarray(this.#end, this.#end + Math.min(bytesRead, headBytesMax - at))])
    this.#end += bytesRead
    return bytesRead > 0
  }

  /** Moves the window to the front and sees that a chunk fits behind it: a long line doubles the buffer, and gives it back when it is over. */
  #makeRoom (): void {
    const window = this.window
    const bytes = window.length + chunkBytes
    let size = this.#buffer.length
    if (bytes > size) size = Math.max(bytes, Math.min(2 * size, this.#options.windowBytesMax))
    else if (bytes <= 2 * chunkBytes) size = 2 * chunkBytes
    const target = size === this.#buffer.length ? this.#buffer : Buffer.allocUnsafe(size)
    window.copy(target, 0)
    this.#buffer = target
    this.#end = window.length
    this.#start = 0
  }

  async #tryOpen (path: string): Promise<boolean> {
    try {
      // Before the open: that of a named pipe without a writer never returns.
      if (!(await stat(path)).isFile()) throw new PlatformError('CONFIG_INVALID', `${path} is no regular file.`, { where: 'input.file.path', remedy: 'Give the path of a file; folders, pipes and devices cannot be resumed.' })
      this.#handle = await open(path, 'r')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return false
      if (error instanceof PlatformError) throw error
      throw new PlatformError('SOURCE_UNAVAILABLE', `${path} cannot be opened: ${(error as Error).message}.`, { where: 'input.file.path', remedy: 'See that the file may be read.', cause: error })
    }
    this.#inode = String((await this.#handle.stat({ bigint: true })).ino)
    return true
  }

  async #resume (place: Place): Promise<void> {
    const { path, follow } = this.#options
    const same = this.#inode === place.inode && await this.#sameHead(place)
    if (same && (await (this.#handle as FileHandle).stat()).size >= place.offset) {
      this.offset = place.offset
      return
    }
    // Rotated while nobody read: the rest of the old file comes first.
    if (!same && follow && await this.#openRotated(place)) return
    this.#head = Buffer.alloc(0)
    this.#context.log.warn({ path, offset: place.offset }, 'The file is not the one that was read before, so it is read from its beginning')
    // What was written to the old one, and to others that came between, is not known.
    if (!same && follow) this.#context.metrics.count('files_missed')
  }

  async #sameHead (place: Place): Promise<boolean> {
    this.#head = await readHead(this.#handle as FileHandle, place.headBytes)
    return checksum(this.#head) === place.head
  }

  async #openRotated (place: Place): Promise<boolean> {
    const current = this.#handle
    for (const sibling of await siblingsOf(this.#options.path)) {
      if (sibling.inode !== place.inode) continue
      this.#handle = await open(sibling.path, 'r')
      if (sibling.size >= place.offset && await this.#sameHead(place)) {
        await current?.close()
        this.#inode = place.inode
        this.offset = place.offset
        this.#replaced = true
        return true
      }
      await this.close()
      this.#handle = current
    }
    return false
  }

  /** Of the open file, before it is closed. */
  async #finished (): Promise<Finished> {
    const { mtimeNs } = await (this.#handle as FileHandle).stat({ bigint: true })
    return { inode: this.#inode, written: mtimeNs }
  }

  /** Several rotations since the last look: the files between the finished one and the one at the path come first. */
  async #openNext (finished: Finished): Promise<void> {
    const { path } = this.#options
    // The path is open by now: what is renamed meanwhile is this file.
    const { next, missed } = await following(path, finished, this.#inode)
    if (next !== undefined) {
      const handle = await open(next.path, 'r')
      // Rotated once more between the look and the open: look again.
      if (String((await handle.stat({ bigint: true })).ino) !== next.inode) {
        await handle.close()
        return await this.#openNext(finished)
      }
      await this.close()
      this.#handle = handle
      this.#inode = next.inode
      this.#replaced = true
    }
    for (const sibling of missed) this.#miss(sibling)
  }

  #miss ({ path }: Sibling): void {
    this.#context.metrics.count('files_missed')
    this.#context.log.warn({ path: this.#options.path, missed: path }, 'A rotated file may hold rows that were not read: it is compressed, or was written in the same moment as the one before. Look into it, and read it by a pipeline of its own where it does')
  }

  /** Shorter than what was read, or other bytes at its beginning. */
  async #isCutOff (): Promise<boolean> {
    const handle = this.#handle as FileHandle
    const { size } = await handle.stat()
    if (size < this.#readTo) return true
    return size > this.#readTo && !(await readHead(handle, this.#head.length)).equals(this.#head)
  }

  async #isReplaced (): Promise<boolean> {
    const found = await stat(this.#options.path, { bigint: true }).catch(() => undefined) // Renamed and not made again: what is open may still grow.
    return found !== undefined && String(found.ino) !== this.#inode && await this.#pause()
  }

  /** False: stopped. */
  async #pause (): Promise<boolean> {
    await sleep(this.#options.pollMs, undefined, { signal: this.#context.signal }).catch(() => {}) // It fails when the signal aborts, which is what we return.
    return !this.#context.signal.aborted
  }
}

function missing (path: string): PlatformError {
  return new PlatformError('SOURCE_UNAVAILABLE', `${path} does not exist.`, { where: 'input.file.path', remedy: 'Check the path, or set follow: true to wait for the file.' })
}
