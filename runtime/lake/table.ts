// The files of one topic in a lake, for readers and writers in any number of processes. Who commits makes the object
// with the next number, and exactly one of several that try gets it; the others read what is new and try again.

import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../errors.ts'
import { FULL_EVERY, applyCommit, checkFile, commitName, damaged, decodeCommit, encodeCommit, fullState, manifestPrefix, nextCommit, nothing, seqOf } from './commit.ts'
import type { Objects } from '../objects/objects.ts'
import type { Change, Commit, Removed, State } from './commit.ts'
import type { LakeFile, Snapshot } from './manifest.ts'

/** How long an old commit stays; a reader that has not looked for so long begins anew. */
export const KEEP_MS = 24 * 3_600_000
/** What was read longer ago is read again from the whole list: the commits behind it may be gone. */
const FRESH_MS = 3_600_000
/** Each one is lost to another commit that was made meanwhile. */
const COMMIT_ATTEMPTS_MAX = 500
/** A list may name a commit that is removed before it is read. */
const READ_ATTEMPTS_MAX = 5

/** What only the compaction needs besides the files. */
export interface LakeState extends Snapshot {
  readonly removed: readonly Removed[]
}

export interface LakeTable {
  readonly topic: string
  /** The files as of now. Throws LAKE_DAMAGED where the list cannot be trusted. */
  read (): Promise<LakeState>
  /**
   * Adds and removes files at once; durable when it resolves. A file whose offsets the lake holds already is left out:
   * it is the repetition of a commit whose answer was lost. Throws LAKE_CONFLICT where offsets overlap otherwise, or
   * where a file to remove is not there.
   */
  commit (change: Change): Promise<LakeState>
}

/** `now`: ms since 1970. */
export function openLakeTable (objects: Objects, topic: string, now: () => number = Date.now): LakeTable {
  return new ManifestTable(objects, topic, now)
}

class ManifestTable implements LakeTable {
  readonly topic: string
  readonly #objects: Objects
  readonly #now: () => number
  #state: State = nothing
  /** When the state was last the newest one; -Infinity: never. */
  #readAt = -Infinity
  /** One at a time in this process. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor (objects: Objects, topic: string, now: () => number) {
    this.#objects = objects
    this.topic = topic
    this.#now = now
  }

  read (): Promise<LakeState> {
    return this.#inTurn(async () => this.#shown(await this.#newest()))
  }

  commit (change: Change): Promise<LakeState> {
    return this.#inTurn(async () => {
      for (const file of change.add ?? []) checkFile(this.topic, file)
      for (let attempt = 0; attempt < COMMIT_ATTEMPTS_MAX; attempt++) {
        const state = await this.#newest()
        const open = withoutRepeats(state, change)
        if (open === undefined) {
          // A commit of another life counts, once it is durable.
          if (state.seq > 0) await this.#objects.confirm(commitName(this.topic, state.seq))
          return this.#shown(state)
        }
        const commit = nextCommit(this.topic, state, open, this.#now())
        if (await this.#put(state, commit)) {
          if (commit.full !== undefined) await this.#removeOld(commit.seq)
          return this.#shown(this.#state)
        }
        await sleep(Math.random() * Math.min(100, attempt))
      }
      throw new PlatformError('DESTINATION_UNAVAILABLE', `Others committed ${COMMIT_ATTEMPTS_MAX} times meanwhile`, { where: this.#where() })
    })
  }

  /** False: another one has the number. */
  async #put (state: State, commit: Commit): Promise<boolean> {
    const { text, hash } = encodeCommit(commit)
    if (!await this.#objects.putIfAbsent(commitName(this.topic, commit.seq), text)) return false
    if (this.#now() - this.#readAt > FRESH_MS) {
      // The process slept: the commits behind the state may be gone, and the number was free only because of that.
      this.#readAt = -Infinity
      if ((await this.#newest()).seq !== commit.seq) return false
    }
    this.#state = applyCommit(state, { commit, hash }, this.#where(commit.seq))
    return true
  }

  async #newest (): Promise<State> {
    const at = this.#now()
    const fresh = at >= this.#readAt && at - this.#readAt < FRESH_MS
    this.#state = fresh ? await this.#advanced(this.#state) : await this.#fromTheList()
    this.#readAt = at
    return this.#state
  }

  async #fromTheList (): Promise<State> {
    for (let attempt = 1; ; attempt++) {
      const last = (await this.#seqs()).reduce((most, seq) => Math.max(most, seq), 0)
      const full = last - last % FULL_EVERY
      const base = full === 0 ? nothing : await this.#full(full)
      const state = base === undefined ? undefined : await this.#advanced(base)
      if (state !== undefined && state.seq >= last) return state
      const missing = (state?.seq ?? full - 1) + 1
      if (attempt === READ_ATTEMPTS_MAX) throw damaged(this.#where(missing), `The commit is missing, and there are later ones up to ${last}`)
    }
  }

  async #full (seq: number): Promise<State | undefined> {
    const read = await this.#read(seq)
    if (read === undefined) return undefined
    const state = fullState(read)
    if (state === undefined) throw damaged(this.#where(seq), 'The commit lacks the whole list')
    return state
  }

  async #advanced (from: State): Promise<State> {
    for (let state = from; ;) {
      const read = await this.#read(state.seq + 1)
      if (read === undefined) return state
      state = applyCommit(state, read, this.#where(state.seq + 1))
    }
  }

  async #read (seq: number): Promise<{ readonly commit: Commit, readonly hash: string } | undefined> {
    const bytes = await this.#objects.read(commitName(this.topic, seq))
    return bytes === undefined ? undefined : decodeCommit(bytes, { topic: this.topic, seq, where: this.#where(seq) })
  }

  async #seqs (before = Infinity): Promise<number[]> {
    const seqs: number[] = []
    for await (const { name, modifiedAt } of this.#objects.list(manifestPrefix(this.topic))) {
      const seq = seqOf(this.topic, name)
      if (seq !== undefined && modifiedAt < before) seqs.push(seq)
    }
    return seqs
  }

  /** Those that no reader needs any more: the whole list at `seq` says the same. */
  async #removeOld (seq: number): Promise<void> {
    try {
      const old = (await this.#seqs(this.#now() - KEEP_MS)).filter(each => each < seq)
      // Ascending: what is left of an interrupted removal has no gap.
      for (const each of old.sort((a, b) => a - b)) await this.#objects.delete(commitName(this.topic, each))
    } catch {
      // The commit itself is made; the next whole list tries again.
    }
  }

  #shown ({ seq, files, removed }: State): LakeState {
    return { topic: this.topic, seq, files, removed }
  }

  #where (seq?: number): string {
    return `${this.#objects.address}/${seq === undefined ? this.topic : commitName(this.topic, seq)}`
  }

  #inTurn<T> (task: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(task)
    this.#turn = result.catch(() => { /* whoever waits for it gets the failure */ })
    return result
  }
}

/** undefined: all of it was done before. */
function withoutRepeats (state: State, change: Change): Change | undefined {
  const { add = [], remove = [], forget = [] } = change
  if (remove.length > 0) {
    // A swap is repeated when all that it removes was removed, and all that it adds is there.
    const gone = new Set(state.removed.map(({ name }) => name))
    const done = remove.every(name => gone.has(name)) && add.every(file => isHeld(state.files, file))
    return done ? undefined : change
  }
  const open = add.filter(file => !isHeld(state.files, file))
  const known = new Set(state.removed.map(({ name }) => name))
  const forgettable = forget.filter(name => known.has(name))
  return open.length === 0 && forgettable.length === 0 ? undefined : { add: open, remove, forget: forgettable }
}

/**
 * Whether the rows of a file are in the lake: its offsets are covered without a gap by files of the same time. Where a
 * topic was made anew other rows have the same offsets, and they came at another time.
 */
export function isHeld (files: readonly LakeFile[], { partition, from, to, ingest }: Pick<LakeFile, 'partition' | 'from' | 'to' | 'ingest'>): boolean {
  let reached = from
  for (const file of files) {
    if (file.partition !== partition || file.to <= reached || file.from >= to) continue
    if (file.from > reached) return false
    reached = file.to
    if (file.ingest.from > ingest.to || file.ingest.to < ingest.from) return false
  }
  return reached >= to
}
