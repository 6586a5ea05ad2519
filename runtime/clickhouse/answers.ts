// What the answers of ClickHouse mean: whether trying again can help, and whether it is known what happened.

import { ClickHouseError } from '@clickhouse/client'
import { PlatformError, describe } from '../errors.ts'

/**
 * Answers after which trying again can help. Whether the rows are there is not known then: a read-back tells.
 * The names are in the engine's ErrorCodes.
 */
const retryableCodes = new Set([
  3, 33, 74, 75, 76, 107, 159, 164, 202, 203, 209, 210, 236, 241, 242, 243, 252, 285, 290, 319, 394, 425, 439, 517, 733, 735, 745, 999
])

const noSpace = 243
const throwIfCode = 395

/** What a statement of an owner that is not the newest one any more fails with. */
export const FENCED = 'twolane: the partition has another owner'

/** The engine's code of an error that this module threw; undefined: it did not come from the engine. */
export function engineCode (error: unknown): number | undefined {
  const cause = error instanceof PlatformError ? error.cause : error
  return cause instanceof ClickHouseError ? Number(cause.code) : undefined
}

/** What an error of the client means. No answer, or none that the engine wrote, means that the outcome is not known. */
export function classify (error: unknown, address: string): PlatformError {
  if (error instanceof PlatformError) return error
  const code = engineCode(error)
  const message = `ClickHouse at ${address}: ${describe(error)}`
  if (code === undefined) {
    return new PlatformError('DESTINATION_UNAVAILABLE', message, { cause: error, remedy: 'Check that ClickHouse runs and can be reached.' })
  }
  if (code === throwIfCode && message.includes(FENCED)) {
    return new PlatformError('BROKER_FENCED', 'the partition has a newer owner, which writes to ClickHouse now', { cause: error, remedy: 'Nothing to do: the newer one goes on.' })
  }
  if (code === noSpace) return new PlatformError('DISK_FULL', message, { cause: error, remedy: 'Free space on the disk of ClickHouse.' })
  return new PlatformError(retryableCodes.has(code) ? 'DESTINATION_UNAVAILABLE' : 'DESTINATION_REFUSED', message, { cause: error })
}
