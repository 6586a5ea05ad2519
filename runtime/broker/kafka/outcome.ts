// How the last transaction of a transactional id has ended. DescribeTransactions, version 0, in the encoding of newer
// requests.

import { Answer, Body } from './requests.ts'
import { check } from './wire.ts'
import type { OwnRequest } from './wire.ts'

/** Kafka 3.0 and newer know it. */
export const DESCRIBE_TRANSACTIONS_API = 65
const NOT_FOUND = 105
const CONCURRENT_TRANSACTIONS = 51

/** `open`: who takes the id over aborts it. `none`: there was none since somebody took the id over, or Kafka is too old to say. */
export type Outcome = 'commit' | 'abort' | 'open' | 'none'

/** Throws what passes while the transaction is being finished. */
export function outcomeRequest (transactionalId: string): OwnRequest<Outcome> {
  const body = new Body()
  // The header of such a request has tags, too: none.
  body.int8(0)
  body.varint(1 + 1)
  body.compact(transactionalId)
  body.int8(0)
  return { apiKey: DESCRIBE_TRANSACTIONS_API, version: 0, name: 'DescribeTransactions', body: body.bytes(), decode: decodeOutcome }
}

function decodeOutcome (bytes: Buffer): Outcome {
  const answer = new Answer(bytes)
  answer.tags()
  answer.int32()
  // One id, as it was asked for.
  answer.length()
  const error = answer.int16()
  if (error === NOT_FOUND) return 'none'
  check(error)
  answer.compact()
  const state = answer.compact()
  if (state.startsWith('Prepare')) check(CONCURRENT_TRANSACTIONS)
  switch (state) {
    case 'Ongoing': return 'open'
    case 'CompleteCommit': return 'commit'
    case 'CompleteAbort': return 'abort'
    default: return 'none'
  }
}
