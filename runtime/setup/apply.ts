// Makes a planned change: the files are written and the pipelines that it reaches are reloaded, all or nothing.

import { describe, PlatformError } from '../errors.ts'
import { changeSet, planHash } from './change-set.ts'
import { nameOf } from './effects.ts'
import { beginJournal, endJournal, undoBroken } from './journal.ts'
import { planChange } from './plan.ts'
import { writeText } from './project-files.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { Receipt } from '../receipt.ts'
import type { ChangeRequest, FileChange } from './change-set.ts'
import type { ChangePlan } from './plan.ts'

export interface Applied {
  readonly receipt: Receipt
  readonly changes: readonly FileChange[]
}

/** The files cannot be written: what somebody has to do by hand. */
export class ReadOnlyFiles extends Error {
  readonly plan: ChangePlan
  override readonly cause: PlatformError

  constructor (cause: PlatformError, plan: ChangePlan) {
    super(cause.message)
    this.cause = cause
    this.plan = plan
  }
}

/** Throws STALE_PLAN where the change would not be the one that was planned, CONFIG_INVALID for what is wrong with it, ReadOnlyFiles. */
export async function applyChange (platform: Platform, principal: Principal, { plan: hash, ...request }: ChangeRequest & { readonly plan: string }): Promise<Applied> {
  const { root, supervisor, peers } = platform
  const place = { root, dataFolder: platform.config.dataFolder, log: platform.log }
  const stale = (): PlatformError => new PlatformError('STALE_PLAN', 'The files have changed since the plan was made, or it was made for another change', { remedy: 'Make a new plan and look at it.' })
  // Before it is checked from all sides, which takes a while.
  if (planHash(await changeSet(root, request)) !== hash) throw stale()
  const { changes, plan, ids } = await planChange(platform, principal, request)
  if (plan.plan !== hash) throw stale()
  if (plan.problems.length > 0) {
    throw new PlatformError('CONFIG_INVALID', plan.problems.map(({ file, path, message }) => `${file}${path === '' ? '' : ` ${path}`}: ${message}`).join('\n'), { problems: plan.problems, remedy: 'Nothing was changed. Correct it and make a new plan.' })
  }
  const written: FileChange[] = []
  const edit = {
    async make (): Promise<void> {
      // Nobody else changes anything from here on, and nobody has since the plan was checked.
      await undoBroken(place)
      if (planHash(await changeSet(root, request)) !== hash) throw stale()
      await beginJournal(place, changes)
      for (const change of changes) {
        await writeText(root, change.path, change.after)
        written.push(change)
      }
    },
    keep: async (): Promise<void> => endJournal(place).catch((error: unknown) => platform.log.error({ reason: describe(error) }, 'The journal of a change that is applied could not be removed')),
    async undo (): Promise<void> {
      let failed = 0
      for (const { path, before } of written.toReversed()) {
        await writeText(root, path, before).catch((error: unknown) => {
          failed++
          platform.log.error({ file: path, reason: describe(error) }, 'A file could not be put back')
        })
      }
      // Where one is not as it was, the journal stays: it is tried again before the next change, and at the next start.
      if (failed === 0) await endJournal(place)
    }
  }
  const gone = changes.filter(({ kind, after }) => kind === 'schema' && after === undefined).map(({ path }) => nameOf(path))
  try {
    const receipt = await supervisor.reload({ edit, only: ids, gone }, peers)
    const applied = receipt.outcome === 'applied' || receipt.outcome === 'unchanged'
    for (const { path, kind, after } of changes) if (applied && kind === 'pipeline' && after === undefined) platform.store.setPaused(nameOf(path), false)
    return { receipt, changes }
  } catch (error) {
    throw error instanceof PlatformError && error.code === 'FILES_READ_ONLY' ? new ReadOnlyFiles(error, plan) : error
  }
}
