// The files of a shelf to batches: each file once, by name, whatever dies meanwhile.
//
//   look ─▶ files that match, by name ─▶ known? ─▶ rows ─▶ chunk (rows + ledger) ─▶ durable ─▶ next
//              ▲                                                                        │
//              └── a followed shelf: again after a pause ◀──────────────────────────────┘
//
// A file is known by its name. Where its version (size and time, or ETag) is another one than the one that was taken, it
// has changed, and the option `changed` says what follows.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, PlatformError } from '../errors.ts'
import { Ledger } from './ledger.ts'
import { Pending } from './pending.ts'
import { beginning, kindOf, rowsOf, sameBeginning, verify } from './rows.ts'
import type { Chunk, Context, Json } from '../plugin.ts'
import type { Current, Pages, Taken } from './ledger.ts'
import type { Kind, Resume } from './rows.ts'
import type { TakeSettings } from './settings.ts'
import type { FileEntry, OpenFile, Shelf } from './shelf.ts'

/** Refused rows that wait for a checkpoint at most. */
const refusedMax = 1000
/** A larger file takes its time to be verified; rows of others do not wait for that. */
const verifiedAtOnceBytesMax = 4 * 2 ** 20

/** Ends when all files are taken, or, of a followed shelf, at the signal. Closes the shelf. */
export async function * takeFiles (shelf: Shelf, settings: TakeSettings, context: Context): AsyncGenerator<Chunk, void, void> {
  try {
    const ledger = await Ledger.open(filesCheckpoint(context.checkpoint), pagesOf(context))
    const taker = new Taker(shelf, settings, { context, ledger })
    for (;;) {
      context.health({ ok: true, state: 'reading' })
      yield * taker.takeAll(await matching(shelf, settings, context))
      if (!settings.follow || context.run !== undefined || context.signal.aborted) return
      context.health({ ok: true, state: 'watching' })
      await sleep(settings.pollMs, undefined, { signal: context.signal }).catch(() => {}) // It fails when the signal aborts, which is looked at next.
      if (context.signal.aborted) return
    }
  } catch (error) {
    // A request that was ended by the signal is no failure.
    if (!context.signal.aborted) throw error
  } finally {
    shelf.close()
  }
}

/** The place of an input that follows one file is of another kind. */
function filesCheckpoint (checkpoint: Json | undefined): Json | undefined {
  if (checkpoint === undefined || (checkpoint as { readonly files?: Json }).files !== undefined) return checkpoint
  throw new PlatformError('CONFIG_INVALID', 'The pipeline has followed one file so far, and its place in it is no place among many files.', {
    where: 'input', remedy: 'Give the pipeline another name; all files that match are then taken from their beginning.'
  })
}

/** Where the ledger keeps what does not fit into a checkpoint. A backfill begins with nothing, and leaves the pages of the others alone. */
function pagesOf ({ services, topic, pipeline, run }: Context): Pages | undefined {
  const { producer } = services
  if (producer === undefined) return undefined
  const prefix = run?.kind === 'backfill' ? `${pipeline}.files.${run.id}` : `${pipeline}.files`
  return {
    async read (key) {
      const writer = await producer(topic, `${prefix}.${key}`)
      try {
        return writer.checkpoint
      } finally {
        await writer.close()
      }
    },
    async write (key, page) {
      const writer = await producer(topic, `${prefix}.${key}`)
      try {
        await writer.append([], { checkpoint: page })
      } finally {
        await writer.close()
      }
    }
  }
}

/** All files that match, by name. */
async function matching (shelf: Shelf, { filesMax, settleMs, where }: TakeSettings, { clock, log }: Context): Promise<FileEntry[]> {
  const files: FileEntry[] = []
  let found = 0
  const newest = clock.now() - settleMs
  for await (const file of shelf.list()) {
    found++
    if (settleMs === 0 || file.written <= newest) files.push(file)
    if (found > filesMax) {
      throw new PlatformError('CONFIG_INVALID', `More than ${filesMax} files match ${shelf.address}.`, { where: `${where}.files_max`, remedy: 'Write a narrower glob, move away what was taken, or raise files_max.' })
    }
  }
  if (found === 0) log.warn({ path: shelf.address }, 'No file matches')
  return files.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
}

interface Around { readonly context: Context, readonly ledger: Ledger }

class Taker {
  readonly #shelf: Shelf
  readonly #settings: TakeSettings
  readonly #context: Context
  readonly #ledger: Ledger
  readonly #pending: Pending
  #refused = 0
  /** Something was noted that no checkpoint has. */
  #noted = false

  constructor (shelf: Shelf, settings: TakeSettings, { context, ledger }: Around) {
    this.#shelf = shelf
    this.#settings = settings
    this.#ledger = ledger
    this.#pending = new Pending(context.topic, settings.batchRows, settings.fileField)
    this.#context = {
      ...context,
      reject: (row, reason) => {
        this.#refused++
        context.metrics.count('rows_malformed')
        context.reject(row, reason)
      }
    }
  }

  async * takeAll (files: readonly FileEntry[]): AsyncGenerator<Chunk, void, void> {
    const { signal } = this.#context
    const unfinished = this.#leaveGone(files)
    try {
      // One that a run has not finished goes before all others: its place is in the checkpoint.
      if (unfinished !== undefined) yield * this.#take(unfinished)
      for (const file of files) {
        if (signal.aborted) break
        if (file !== unfinished) yield * this.#take(file)
      }
    } catch (error) {
      // What was read before is not lost with it.
      yield * this.#flush()
      throw error
    }
    yield * this.#flush()
    this.#noted = await this.#ledger.tidy(namesOf(files), this.#settings.filesMax)
    yield * this.#flush()
  }

  /** The file that the last run has not finished; one that is gone stays noted as far as it was taken. */
  #leaveGone (files: readonly FileEntry[]): FileEntry | undefined {
    const { current } = this.#ledger
    if (current === undefined) return undefined
    const file = files.find(({ name }) => name === current.name)
    if (file === undefined) {
      this.#context.log.warn({ file: current.name, line: current.line }, 'A file is gone before it was read to its end; the rows before this line were taken')
      this.#context.metrics.count('files_missed')
      this.#finish(current, current, false)
    }
    return file
  }

  async * #take (entry: FileEntry): AsyncGenerator<Chunk, void, void> {
    if (this.#isDone(entry)) return
    let place: Current | undefined
    let file: OpenFile | undefined
    try {
      file = await this.#shelf.open(entry)
      if (file === undefined) throw new PlatformError('FILE_REFUSED', `${entry.name} is gone since it was found.`, { remedy: 'Move files away only after they were taken.' })
      const { name, version, bytes } = file.entry
      const kind = bytes === 0 ? undefined : await kindOf(file, this.#settings)
      const verified = kind === undefined ? {} : yield * this.#verify(file, kind)
      if (this.#context.signal.aborted) return
      const from = kind === undefined ? undefined : await this.#resume(file, kind)
      place = { ...(from ?? beginning), ...verified, name, version }
      if (kind !== undefined) {
        for await (const piece of rowsOf(file, kind, from, this.#settings, this.#context)) {
          this.#checkField(file.entry, piece.batch.columns)
          if (this.#pending.refuses(piece.batch)) yield * this.#flush()
          place = { ...piece.place, ...verified, name, version }
          this.#pending.add(piece.batch, name)
          this.#ledger.current = place
          this.#noted = true
          if (this.#pending.full || this.#refused >= refusedMax) yield * this.#flush()
          if (this.#context.signal.aborted) return
        }
        if (this.#context.signal.aborted) return
      }
      this.#finish(file.entry, place, true)
      this.#context.metrics.count('files_taken')
    } catch (error) {
      this.#pass(error, file?.entry ?? entry, place)
    } finally {
      await file?.close()
    }
    if (this.#ledger.full) yield * this.#flush()
  }

  /** Whether nothing is to be taken of a file. */
  #isDone ({ name, version }: FileEntry): boolean {
    const known = this.#ledger.find(name)
    if (known === undefined || !known.finished || this.#ledger.current?.name === name) return false
    return known.isOf(version) || this.#settings.changed === 'ignore'
  }

  /**
   * Before the first row: wrong rows of a damaged file may look right, and its checksum comes at its end. A run that
   * goes on in the middle of a version that was verified does not do it again.
   */
  async * #verify (file: OpenFile, kind: Kind): AsyncGenerator<Chunk, Pick<Current, 'verified'>, void> {
    const { name, version, bytes } = file.entry
    const { signal, health } = this.#context
    const { current } = this.#ledger
    if (!this.#settings.verify || kind.compression === 'none' || kind.format === 'parquet') return {}
    if (current?.name === name && current.version === version && current.verified === true) return { verified: true }
    if (bytes > verifiedAtOnceBytesMax) yield * this.#flush()
    health({ ok: true, state: 'verifying', reason: `${name} is read to its end, before the first row is taken.` })
    try {
      return await verify(file, kind, signal) ? { verified: true } : {}
    } finally {
      health({ ok: true, state: 'reading' })
    }
  }

  /** How far a file was taken before. */
  #known (name: string): Current | Taken | undefined {
    const { current } = this.#ledger
    return current?.name === name ? current : this.#ledger.find(name)
  }

  /** Where to go on in a file; undefined: at its beginning. */
  async #resume (file: OpenFile, kind: Kind): Promise<Resume | undefined> {
    const { name, version } = file.entry
    const { current } = this.#ledger
    if (current?.name === name && current.version === version) return { ...current, complete: true }
    const known = this.#known(name)
    if (known === undefined) return undefined
    const from = known.at === 0 ? undefined : await sameBeginning(file, kind, known)
    const finished = 'finished' in known && known.finished
    if (this.#settings.changed === 'error' && (finished || from === undefined)) {
      throw new PlatformError('FILE_REFUSED', `${name} was taken, and has changed since.`, { where: `${this.#settings.where}.changed`, remedy: 'Put the new rows into a file of another name, or set changed: again or changed: ignore.' })
    }
    if (from === undefined && known.at > 0) this.#context.log.info({ file: name }, 'A file has changed, and is taken again as a whole')
    return from
  }

  #finish (file: { readonly name: string, readonly version: string }, { at, crc }: { readonly at: number, readonly crc: number }, finished: boolean): void {
    this.#ledger.current = undefined
    this.#ledger.note(file, { at, crc }, finished)
    this.#noted = true
  }

  /** A file that cannot be read: the run ends there, or the file is passed over. Other failures are not the file's. */
  #pass (error: unknown, entry: FileEntry, place: Current | undefined): void {
    if (this.#context.signal.aborted || !(error instanceof PlatformError) || (error.code !== 'FILE_REFUSED' && error.code !== 'CONFIG_INVALID')) throw error
    const from = place ?? this.#known(entry.name) ?? beginning
    const line = place?.line ?? 1
    if (this.#settings.badFile === 'stop') {
      throw new PlatformError('FILE_REFUSED', `${error.message} ${line > 1 ? `It was taken up to line or row ${line - 1}.` : 'Nothing was taken of it now.'}`, {
        where: error.where ?? this.#settings.where, remedy: `${error.remedy ?? ''} With bad_file: skip the other files are taken.`.trimStart(), cause: error
      })
    }
    this.#context.reject({ file: entry.name, line }, describe(error))
    this.#context.metrics.count('files_skipped')
    this.#context.log.warn({ file: entry.name, line, reason: error.message }, 'A file cannot be read, and is passed over')
    this.#finish(entry, from, true)
  }

  #checkField ({ name }: FileEntry, columns: object): void {
    const { fileField } = this.#settings
    if (fileField === undefined || !Object.hasOwn(columns, fileField)) return
    throw new PlatformError('FILE_REFUSED', `${name} has a field ${fileField} of its own.`, { where: `${this.#settings.where}.file_field`, remedy: 'Choose another name for the field that gets the name of the file.' })
  }

  /** What waits, with the ledger; when it goes on, both are durable. */
  async * #flush (): AsyncGenerator<Chunk, void, void> {
    if (this.#pending.length === 0 && !this.#noted) return
    this.#noted = false
    this.#refused = 0
    yield { batch: this.#pending.take(), checkpoint: this.#ledger.checkpoint }
    // Invariant 1 of the pages: only what is durable with its rows goes into one.
    await this.#ledger.settle()
  }
}

function * namesOf (files: readonly FileEntry[]): Generator<string, void, void> {
  for (const { name } of files) yield name
}
