import { readdir, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Context } from '../../../runtime/plugin.ts'

/** A file that grows is touched with every row group; one that was not for so long has no writer any more. */
const abandonedMs = 3_600_000

/** How the unfinished files of this step begin: whose they are, and which process writes them. */
export function leftoverPrefix (context: Context): string {
  return `${owner(context)}${process.pid}.`
}

function owner ({ pipeline, step }: Context): string {
  return `${pipeline}.${step}.${hostname()}.`.replaceAll(/[^\w.-]/g, '_')
}

/** Removes what writers of this step left behind when they were killed. The files of a writer that may live stay: a reload runs two side by side. */
export async function removeLeftovers (folder: string, context: Context): Promise<void> {
  const own = owner(context)
  const startedAt = Date.now() - process.uptime() * 1000
  for (const name of await readdir(folder)) {
    if (!name.startsWith(own)) continue
    const path = join(folder, name)
    const modifiedAt = await stat(path).then(({ mtimeMs }) => mtimeMs, () => undefined)
    if (modifiedAt === undefined) continue
    const pid = Number.parseInt(name.slice(own.length), 10)
    const dead = pid === process.pid ? modifiedAt < startedAt : !lives(pid)
    if (!dead && Date.now() - modifiedAt < abandonedMs) continue
    await unlink(path).catch(() => { /* another opener was faster */ })
    context.log.info({ path }, 'Removed an unfinished file of a writer that is gone')
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
