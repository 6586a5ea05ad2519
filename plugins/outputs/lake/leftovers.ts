import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Objects } from '../../../runtime/objects/objects.ts'
import type { Context } from '../../../runtime/plugin.ts'

/** A file that grows is touched with every row group; one that was not for so long has no writer any more. */
const abandonedMs = 3_600_000

/** How the unfinished files of this step begin: whose they are, and which process writes them. `host`: of those that share the folder. */
export function leftoverPrefix (context: Context, host: string): string {
  return `${owner(context, host)}${process.pid}.`
}

function owner ({ pipeline, step }: Context, host: string): string {
  return `${pipeline}.${step}.${host}.`.replaceAll(/[^\w.-]/g, '_')
}

/** Removes what writers of this step left behind when they were killed. The files of a writer that may live stay: a reload runs two side by side. */
export async function removeLeftovers (objects: Objects, context: Context, host: string): Promise<void> {
  const own = owner(context, host)
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
