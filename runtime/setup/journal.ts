// A change of several files that is all or nothing also where the platform is killed in its middle.
//
//   journal durable ▶ files written ▶ reload ▶ journal gone
//
// The journal has the texts of before and after. One that is there at the start belongs to a change that nobody was told
// the end of: its files get the texts of before again, unless somebody has edited them since.

import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder, writeDurably } from '../durable.ts'
import { describe, PlatformError } from '../errors.ts'
import { kindOf, readText, writeText } from './project-files.ts'
import { clearScratch } from './scratch.ts'
import type { Logger } from '../plugin.ts'
import type { FileChange } from './change-set.ts'

type Entry = Pick<FileChange, 'path' | 'before' | 'after'>

export interface JournalPlace {
  readonly root: string
  readonly dataFolder: string
  readonly log: Pick<Logger, 'warn' | 'error'>
}

/** Before the first file is written. Only one change is under way at a time. */
export async function beginJournal ({ dataFolder }: Pick<JournalPlace, 'dataFolder'>, changes: readonly Entry[]): Promise<void> {
  // Its texts hold secrets: nobody else reads them, from the first byte on.
  await writeDurably(fileOf(dataFolder), JSON.stringify(changes.map(({ path, before, after }) => ({ path, before: before ?? null, after: after ?? null }))), { mode: 0o600 })
}

/** When the change has come to its end, whichever it was. */
export async function endJournal ({ dataFolder }: Pick<JournalPlace, 'dataFolder'>): Promise<void> {
  await rm(fileOf(dataFolder), { force: true })
  await syncFolder(dataFolder)
}

/** Undoes what a change that was broken off has written. Throws FILES_READ_ONLY, and what else the file system says: the journal stays then. */
export async function undoBroken (place: JournalPlace): Promise<void> {
  const changes = await readJournal(place)
  if (changes === undefined) return
  let undone = 0
  for (const { path, before, after } of changes.toReversed()) {
    await rm(join(place.root, `${path}.tmp`), { force: true })
    const now = await readText(place.root, path)
    if (now === before) continue
    if (now !== after) {
      place.log.warn({ file: path }, 'A file of a change that was broken off was edited since, and is left as it is')
      continue
    }
    await writeText(place.root, path, before)
    undone++
  }
  await endJournal(place)
  place.log.warn({ files: changes.length, undone }, 'A change of files was broken off in its middle and is undone')
}

/** At the start, before any file is read: what a kill has left. Never throws: the platform runs with the files that there are. */
export async function tidyFiles (place: JournalPlace): Promise<void> {
  try {
    await clearScratch(place.dataFolder)
    await undoBroken(place)
  } catch (error) {
    place.log.error({ reason: describe(error) }, 'A change of files that was broken off could not be undone; it is tried again at the next change or start')
  }
}

async function readJournal ({ dataFolder }: JournalPlace): Promise<Entry[] | undefined> {
  const file = fileOf(dataFolder)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const entries = JSON.parse(text) as Array<{ readonly path: string, readonly before: string | null, readonly after: string | null }>
    return entries.filter(({ path }) => kindOf(path) !== undefined).map(({ path, before, after }) => ({ path, before: before ?? undefined, after: after ?? undefined }))
  } catch (cause) {
    throw new PlatformError('CONFIG_INVALID', 'The journal of a change of files cannot be read', { where: file, remedy: 'Compare pipelines/, schemas/ and config/ with git, then remove the file.', cause })
  }
}

function fileOf (dataFolder: string): string {
  return join(dataFolder, 'change-journal.json')
}
