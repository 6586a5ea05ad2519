import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeDurably } from '../durable.ts'
import { PlatformError } from '../errors.ts'
import type { Receipt } from '../receipt.ts'
import type { Platform } from '../platform.ts'

/** What `text` makes of the old text; undefined: the file goes. */
export type Change = (before: string | undefined) => string | undefined

/** Relative to the project. `id` has been checked against the pattern of ids: it cannot lead out of the folder. */
export function fileOf (id: string): string {
  return `pipelines/${id}.yaml`
}

/** Undefined where there is no such file. */
export async function textOf (file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes (or removes) the file of one pipeline and reloads that pipeline; puts back what was there when the reload does not apply it. */
export async function changeFile ({ supervisor, peers }: Platform, { root, id, change }: { readonly root: string, readonly id: string, readonly change: Change }): Promise<Receipt> {
  const file = join(root, fileOf(id))
  let before: string | undefined
  let changed = false
  const edit = {
    async make (): Promise<void> {
      before = await textOf(file)
      const text = change(before)
      await put(file, text)
      changed = true
    },
    async undo (): Promise<void> {
      if (changed) await put(file, before)
    }
  }
  return supervisor.reload({ edit, only: id }, peers)
}

async function put (file: string, text: string | undefined): Promise<void> {
  try {
    if (text === undefined) return await rm(file, { force: true })
    await mkdir(dirname(file), { recursive: true })
    await writeDurably(file, text)
  } catch (cause) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause
    throw new PlatformError('FILES_READ_ONLY', 'The platform may not write to the folder pipelines/', { remedy: 'Change the file where it is kept and reload, or let the platform write there.', cause })
  }
}
