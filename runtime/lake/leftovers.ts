// Unfinished files in the scratch folder of a lake: whose they are, and when nobody writes them any more.

import { readdir, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { inStore } from '../objects/open.ts'
import type { Objects } from '../objects/objects.ts'
import type { Logger } from '../plugin.ts'

/** A file that grows is touched with every row group; one that was not for so long has no writer any more. */
const abandonedMs = 3_600_000

/** How the unfinished files of this process begin. `user`: the part of the platform that writes them, such as a step; `folder`: of the lake. */
export function leftoverPrefix (user: string, folder: string): string {
  return `${ownerOf(user, folder)}${process.pid}.`
}

function ownerOf (user: string, folder: string): string {
  // A folder may be on a disk that several machines share. What goes to a store is written in the data folder, which is one platform's own.
  const host = inStore(folder) ? 'store' : hostname()
  return `${user}.${host}.`.replaceAll(/[^\w.-]/g, '_')
}

/** Removes what writers of that name left behind when they were killed. The files of a writer that may live stay: a reload runs two side by side. */
export async function removeLeftovers (objects: Objects, user: string, folder: string, log: Logger): Promise<void> {
  const own = ownerOf(user, folder)
  const startedAt = Date.now() - process.uptime() * 1000
  for (const name of await readdir(objects.scratch)) {
    if (!name.startsWith(own)) continue
    const path = join(objects.scratch, name)
    const modifiedAt = await stat(path).then(({ mtimeMs }) => mtimeMs, () => undefined)
    // A file goes with its note.
    if (modifiedAt === undefined) continue
    const pid = Number.parseInt(name.slice(own.length), 10)
    const dead = pid === process.pid ? modifiedAt < startedAt : !lives(pid)
    if (!dead && Date.now() - modifiedAt < abandonedMs) continue
    await objects.discard(path.replace(/\.upload$/, ''))
    log.info({ path }, 'Removed an unfinished file of a writer that is gone')
  }
}

function lives (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Another user's process lives, too.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
