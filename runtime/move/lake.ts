// The files of a lake in a folder to a store, under the same names. A file that is there already and is the same one is
// left; each one is read back as a whole.

import { createHash } from 'node:crypto'
import { copyFile, link, open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { PlatformError } from '../errors.ts'
import { FolderObjects } from '../objects/folder.ts'
import { inStore } from '../objects/open.ts'
import type { ObjectEntry, Objects } from '../objects/objects.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Progress, Verified } from './report.ts'

export interface SourceLake {
  readonly folder: string
  readonly files: readonly ObjectEntry[]
  readonly bytes: number
}

/** Of one read. */
const PART_BYTES = 8 * 2 ** 20

/** The folders that outputs keep a lake in. */
export async function findLakes (pipelines: Iterable<Pipeline>, dataFolder: string): Promise<SourceLake[]> {
  const folders = new Set<string>()
  for (const { outputs } of pipelines) {
    for (const { plugin, config } of outputs) {
      if (plugin === 'lake' && !inStore(config['folder'] as string)) folders.add(resolve(dataFolder, config['folder'] as string))
    }
  }
  return Promise.all([...folders].sort().map(async folder => {
    const files = await entriesOf(new FolderObjects(folder, ''))
    return { folder, files, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
  }))
}

/** Throws MOVE_REFUSED where another file has the name of one, MOVE_UNVERIFIED where one is not what it has to be when it is read back. */
export async function moveLake ({ folder, files }: SourceLake, target: Objects, progress: Progress): Promise<Verified> {
  await target.check()
  const there = new Map((await entriesOf(target)).map(({ name, bytes }) => [name, bytes]))
  const all = createHash('sha256')
  for (const { name, bytes } of files) {
    const path = join(folder, name)
    const wanted = await hashOfFile(path)
    const known = there.has(name)
    if (!known) await put(target, name, path)
    const found = there.get(name) ?? bytes
    const hash = found === bytes ? await hashOfObject(target, name, bytes) : ''
    if (hash !== wanted) throw known ? taken(target, name) : unlike(target, name)
    all.update(`${name} ${hash}\n`)
    progress.rows(`${folder} (files)`, 1)
  }
  return { what: `lake ${folder}`, rows: files.length, hash: all.digest('hex').slice(0, 16) }
}

async function entriesOf (objects: Objects): Promise<ObjectEntry[]> {
  const entries: ObjectEntry[] = []
  for await (const entry of objects.list('')) entries.push(entry)
  return entries
}

/** `put` takes the file away from its scratch folder: a second name of it, or a copy on another disk. */
async function put (target: Objects, name: string, path: string): Promise<void> {
  const aside = target.scratchFile()
  try {
    await link(path, aside).catch(() => copyFile(path, aside))
    await target.put(name, aside)
  } finally {
    await target.discard(aside)
  }
}

async function hashOfFile (path: string): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path)
  try {
    for await (const bytes of file.createReadStream({ autoClose: false, highWaterMark: 2 ** 20 })) hash.update(bytes as Buffer)
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

async function hashOfObject (objects: Objects, name: string, bytes: number): Promise<string> {
  const hash = createHash('sha256')
  for (let from = 0; from < bytes; from += PART_BYTES) hash.update(await objects.read(name, { from, to: from + PART_BYTES }) ?? new Uint8Array(0))
  return hash.digest('hex')
}

function taken ({ address }: Objects, name: string): PlatformError {
  return new PlatformError('MOVE_REFUSED', `Another file has the name ${name} already`, { where: address, remedy: 'Choose another prefix.' })
}

function unlike ({ address }: Objects, name: string): PlatformError {
  return new PlatformError('MOVE_UNVERIFIED', `The file ${name} is not the same when it is read back`, { where: address, remedy: 'Remove it there, and run the move again.' })
}
