// One commit of a lake's manifest: <topic>/_manifest/<seq, 12 digits>.json
//
//   {"sha256":"<of the text of the commit>","commit":{ seq, parent, add, remove, … }}
//
//   1 ◀─parent─ 2 ◀─parent─ … ◀─parent─ 64 (full) ◀─parent─ 65 …
//
// `parent` is the sha256 of the commit before, so that the commits are a chain. Each one holds what it changes; each
// 64th one the whole list besides, so that a reader needs that one and those after it. A text that does not fit its
// hash, a commit that does not fit the one before, or one that is missing in between is an error, never a shorter list.

import { createHash, randomUUID } from 'node:crypto'
import { PlatformError } from '../errors.ts'
import type { LakeFile } from './manifest.ts'

/** Each so many commits one holds the whole list. */
export const FULL_EVERY = 64

/** A file that readers do not go by any more; its bytes stay for those that began before. */
export interface Removed {
  readonly name: string
  /** When it was removed, ms since 1970. */
  readonly at: number
}

export interface Change {
  readonly add?: readonly LakeFile[]
  /** Names of files; together with `add` it is one swap, seen as a whole or not at all. */
  readonly remove?: readonly string[]
  /** Names of removed files whose bytes are gone. */
  readonly forget?: readonly string[]
}

export interface Commit {
  readonly format: 1
  readonly topic: string
  readonly seq: number
  /** sha256 of the commit before; empty: it is the first one. */
  readonly parent: string
  /** When it was made, ms since 1970. */
  readonly at: number
  /** Makes its text unlike any other. */
  readonly nonce: string
  readonly add: readonly LakeFile[]
  readonly remove: readonly string[]
  readonly forget: readonly string[]
  /** The whole list as it is after this commit. */
  readonly full?: { readonly files: readonly LakeFile[], readonly removed: readonly Removed[] }
}

/** What all commits up to one make. */
export interface State {
  readonly seq: number
  /** sha256 of that commit; empty: there is none. */
  readonly hash: string
  /** By partition, then by offset. */
  readonly files: readonly LakeFile[]
  readonly removed: readonly Removed[]
}

export const nothing: State = { seq: 0, hash: '', files: [], removed: [] }

/** Names of the commits of a topic begin so. */
export function manifestPrefix (topic: string): string {
  return `${topic}/_manifest/`
}

export function commitName (topic: string, seq: number): string {
  return `${manifestPrefix(topic)}${String(seq).padStart(12, '0')}.json`
}

/** undefined: it is not the name of a commit. */
export function seqOf (topic: string, name: string): number | undefined {
  const digits = /^(\d{12})\.json$/.exec(name.slice(manifestPrefix(topic).length))?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** The next commit. Throws LAKE_CONFLICT where the change does not fit the list. */
export function nextCommit (topic: string, state: State, { add = [], remove = [], forget = [] }: Change, at: number): Commit {
  const commit: Commit = { format: 1, topic, seq: state.seq + 1, parent: state.hash, at, nonce: randomUUID(), add, remove, forget }
  const { files, removed } = changed(topic, state, commit)
  return commit.seq % FULL_EVERY === 0 ? { ...commit, full: { files, removed } } : commit
}

export function encodeCommit (commit: Commit): { readonly text: Buffer, readonly hash: string } {
  const body = JSON.stringify(commit)
  const hash = sha256(body)
  return { text: Buffer.from(`{"sha256":"${hash}","commit":${body}}\n`), hash }
}

/** Throws LAKE_DAMAGED. */
export function decodeCommit (bytes: Uint8Array, place: { readonly topic: string, readonly seq: number, readonly where: string }): { readonly commit: Commit, readonly hash: string } {
  const text = Buffer.from(bytes).toString()
  const [, hash, body] = /^\{"sha256":"([0-9a-f]{64})","commit":([^]*)\}\n$/.exec(text) ?? []
  if (hash === undefined || body === undefined || sha256(body) !== hash) throw damaged(place.where, 'The commit is not what was written')
  const commit = JSON.parse(body) as Commit
  if (commit.format !== 1) throw damaged(place.where, 'The commit was written by a newer version')
  if (commit.topic !== place.topic || commit.seq !== place.seq) throw damaged(place.where, `The commit is the one with the number ${commit.seq} of ${commit.topic}`)
  return { commit, hash }
}

/** The state after a commit, read as it stands in the chain. Throws LAKE_DAMAGED. */
export function applyCommit (state: State, { commit, hash }: { readonly commit: Commit, readonly hash: string }, where: string): State {
  if (commit.parent !== state.hash) throw damaged(where, 'The commit does not belong behind the one before it')
  try {
    return { seq: commit.seq, hash, ...changed(commit.topic, state, commit) }
  } catch (error) {
    throw damaged(where, (error as Error).message)
  }
}

/** The state as a full commit has it. */
export function fullState ({ commit, hash }: { readonly commit: Commit, readonly hash: string }): State | undefined {
  return commit.full === undefined ? undefined : { seq: commit.seq, hash, ...commit.full }
}

export function damaged (where: string, says: string): PlatformError {
  return new PlatformError('LAKE_DAMAGED', says, { where, remedy: 'Bring this file back from a copy; nothing is read or written until then.' })
}

function changed (topic: string, state: State, { add, remove, forget, at }: Commit): Pick<State, 'files' | 'removed'> {
  const gone = new Set(remove)
  const kept = state.files.filter(({ name }) => !gone.has(name))
  if (kept.length !== state.files.length - gone.size) {
    const missing = remove.find(name => !state.files.some(file => file.name === name)) ?? 'a file that is named twice'
    throw conflict(topic, `${missing} is not in the list of files, so it cannot be removed`)
  }
  const files = add.length === 0 ? kept : [...kept, ...add].sort((a, b) => a.partition - b.partition || a.from - b.from)
  checkFiles(topic, files, add)
  const forgotten = new Set(forget)
  const back = new Set(add.map(({ name }) => name))
  const removed = [...state.removed, ...remove.map(name => ({ name, at }))].filter(({ name }) => !forgotten.has(name) && !back.has(name))
  return { files, removed }
}

/** Throws LAKE_CONFLICT where it can be no file of the topic. */
export function checkFile (topic: string, { name, from, to, rows }: LakeFile): void {
  if (!name.startsWith(`${topic}/`) || from >= to || rows > to - from || rows < 1) throw conflict(topic, `${name} with ${rows} rows at the offsets ${from} to ${to} is no file of the topic`)
}

function checkFiles (topic: string, files: readonly LakeFile[], add: readonly LakeFile[]): void {
  for (const file of add) checkFile(topic, file)
  if (add.length > 0 && new Set(files.map(({ name }) => name)).size !== files.length) throw conflict(topic, 'A file would be in the list twice')
  for (let i = 1; i < files.length; i++) {
    const [one, two] = [files[i - 1] as LakeFile, files[i] as LakeFile]
    if (one.partition === two.partition && one.to > two.from) throw conflict(topic, `${two.name} holds offsets that ${one.name} holds, too`)
  }
}

function conflict (topic: string, says: string): PlatformError {
  return new PlatformError('LAKE_CONFLICT', says, {
    where: `lake/${topic}`, remedy: `Where the topic ${topic} was made anew, give its lake another folder, or move the old files of the topic away.`
  })
}

function sha256 (text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
