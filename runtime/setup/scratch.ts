// The project with a change made, beside the real one: a folder of links to all that stays as it is, and of files for what
// changes. Whatever reads a project reads it; nothing that runs does.

import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { FileChange } from './change-set.ts'

/** Folders whose files are linked one by one, because some of them may change. */
const opened = ['pipelines', 'schemas', 'schemas/models', 'config', 'config/calendars']

/** Calls `work` with the folder, which is gone afterwards. */
export async function inScratch<T> (place: { readonly root: string, readonly dataFolder: string }, changes: readonly FileChange[], work: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(place.dataFolder, 'scratch', randomUUID())
  try {
    await link(place, folder)
    for (const { path, after } of changes) {
      const file = join(folder, path)
      await rm(file, { force: true })
      if (after === undefined) continue
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, after)
    }
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** After a crash: what was left there. */
export async function clearScratch (dataFolder: string): Promise<void> {
  await rm(join(dataFolder, 'scratch'), { recursive: true, force: true })
}

async function link ({ root, dataFolder }: { readonly root: string, readonly dataFolder: string }, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await linkAll(root, folder, name => opened.includes(name) || name.startsWith('.') || resolve(root, name) === dataFolder)
  for (const inner of opened) {
    await mkdir(join(folder, inner), { recursive: true })
    await linkAll(join(root, inner), join(folder, inner), name => opened.includes(`${inner}/${name}`))
  }
}

async function linkAll (from: string, to: string, isLeftOut: (name: string) => boolean): Promise<void> {
  const names = await readdir(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const name of names) if (!isLeftOut(name)) await symlink(join(from, name), join(to, name))
}
