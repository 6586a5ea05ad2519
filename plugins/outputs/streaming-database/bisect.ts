import { PlatformError } from '../../../runtime/errors.ts'
import type { Batch } from '../../../runtime/batch.ts'
import type { Rows } from './rows.ts'

/** What the search needs of its caller. */
export interface Bisection {
  /** Refused rows that end the search: the fault is then not in single rows. */
  readonly refusedMax: number
  insert (rows: Rows): Promise<void>
  isAboutRows (error: unknown): error is PlatformError
  refuse (batch: Batch, i: number, why: PlatformError): void
}

/**
 * Stores `rows`, of which the engine has refused at least one, without those that it refuses.
 *
 *   [ stored | suspects, the first refused row is here | not tried yet ]
 *            lo                                       hi
 *
 * Half of the suspects is inserted: if it is taken, it is stored and the row is in the other half; if not, it is in this
 * one. What follows the row is then tried as a whole. One bad row among n costs log2(n) + 2 inserts.
 */
export async function insertAround (rows: Rows, reason: PlatformError, { insert, isAboutRows, refuse, refusedMax }: Bisection): Promise<void> {
  const attempt = async (from: number, to: number): Promise<PlatformError | undefined> => {
    try {
      await insert(rows.slice(from, to))
      return undefined
    } catch (error) {
      if (isAboutRows(error)) return error
      throw error
    }
  }

  let why: PlatformError | undefined = rows.length === 0 ? undefined : reason
  let refused = 0
  let lo = 0
  while (why !== undefined) {
    let hi = rows.length
    while (hi - lo > 1) {
      const middle = (lo + hi) >> 1
      const refusal = await attempt(lo, middle)
      if (refusal === undefined) {
        lo = middle
      } else {
        hi = middle
        why = refusal
      }
    }
    // By itself, so that the reason is about this row, and a row that would be taken is not refused.
    const own = await attempt(lo, hi)
    if (own !== undefined) {
      if (++refused > refusedMax) {
        throw new PlatformError('DESTINATION_REFUSED', `more than ${refusedMax} rows of one flush are refused, the last one with: ${own.message}`, {
          cause: own, remedy: 'Correct the schema or the constraints of the table, then start the pipeline again.'
        })
      }
      const { batch, index } = rows.origin(lo)
      refuse(batch, index, own)
    }
    lo = hi
    why = lo < rows.length ? await attempt(lo, rows.length) : undefined
  }
}
