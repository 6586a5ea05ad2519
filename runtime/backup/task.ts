import { PlatformError } from '../errors.ts'
import { manual } from '../jobs/schedule.ts'
import { idPattern, totalsOf } from './manifest.ts'
import { backupsOf } from './backups.ts'
import type { Opening } from '../platform.ts'
import type { Task, TaskContext } from '../jobs/task.ts'

const TIMEOUT_MS = 12 * 3_600_000

/** Params: `verify`, the id of a backup to bring back into a scratch place, or `newest`; `place`, the word for a place. */
export function backupTask (platform: Opening): Task {
  const { config } = platform
  return {
    id: 'backup',
    description: 'Makes a backup of everything, keeps the newest ones, and brings one back into a scratch place when it is asked to',
    schedule: config.backupTo === '' ? { ...manual, retries: 0, timeoutMs: TIMEOUT_MS } : { ...manual, when: { kind: 'cron', expression: '40 2 * * *', timeZone: 'UTC' }, retries: 2, timeoutMs: TIMEOUT_MS },
    check: ({ place }) => { if (place === undefined) backupsOf(platform).checkPlace() },
    run: context => run(platform, context)
  }
}

async function run (platform: Opening, { params, signal, log, progress }: TaskContext): Promise<void> {
  const backups = backupsOf(platform)
  const { verify, place, ...others } = params
  const [unknown] = Object.keys(others)
  const wrong = unknown !== undefined || (verify !== undefined && (typeof verify !== 'string' || !(verify === 'newest' || new RegExp(idPattern).test(verify)))) || (place !== undefined && typeof place !== 'string')
  if (wrong) throw new PlatformError('REQUEST_INVALID', `A backup has no such parameter: ${JSON.stringify(params)}`, { remedy: 'It takes verify, the id of a backup or newest.' })
  const making = { signal, onRows: (rows: number) => progress({ rows }), say: (what: string) => log.info({}, what) }
  if (typeof verify === 'string') {
    log.info({ detail: await backups.verify(verify === 'newest' ? undefined : verify, making) }, 'The backup was brought back')
    return
  }
  const backup = await backups.make(place as string | undefined, making)
  log.info({ id: backup.id, ...totalsOf(backup), leftOut: backup.leftOut }, 'The backup was made')
}
