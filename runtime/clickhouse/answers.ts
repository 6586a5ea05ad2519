// What the answers of ClickHouse mean: whether trying again can help, and whether it is known what happened.

import { ClickHouseError } from '@clickhouse/client'
import { PlatformError, describe } from '../errors.ts'

/**
 * Answers after which trying again can help. Whether the rows are there is not known then: a read-back tells.
 * The names are in the engine's ErrorCodes; 1000 to 1002 are what others threw in it, such as the file system.
 */
const retryableCodes = new Set([
  3, 32, 33, 74, 75, 76, 107, 159, 164, 173, 198, 202, 203, 209, 210, 236, 241, 242, 243, 252, 279, 285, 286, 289, 290, 319, 394, 425, 439, 499, 517, 733, 735, 745, 999, 1000, 1001, 1002
])

const noSpace = 243
/** Files that cannot be written or opened, and what the file system threw: a full disk is one reason of several. */
const fileCodes = new Set([74, 75, 76, 1001])
const throwIfCode = 395

/** What to do about the answers that somebody can do something about. */
const remedies: ReadonlyMap<number, string> = new Map([
  [164, 'The user or the server is read-only: let its profile allow writing (readonly = 0). It goes on by itself then.'],
  [192, 'Create the user in ClickHouse, or correct the name in the address.'],
  [193, 'Correct the password in the address.'],
  [194, 'Put user and password into the address.'],
  [202, 'ClickHouse has too many queries at once. It goes on by itself when there are fewer.'],
  [241, 'ClickHouse is over its memory limit. It goes on by itself when there is some; give it more, or let outputs flush fewer rows (flush.rows).'],
  [242, 'The table is read-only, as a replica is without its Keeper. It goes on by itself when that is back.'],
  [noSpace, 'Free space on the disk of ClickHouse.'],
  [252, 'ClickHouse has not merged what was inserted before. It goes on by itself when it has; let outputs flush more rows at a time (flush.rows, flush.ms).'],
  [285, 'Start the replicas that are down. It goes on by itself then.'],
  [497, 'Grant the user this right; runtime/clickhouse/README.md lists all that are needed.'],
  [516, 'Correct user and password in the address.']
])

/** A host that cannot have got anything, because there was no connection. */
const unconnected = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'])

/** Why the server's certificate is not accepted, by the code of the error. */
const certificateFaults: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate of the server has expired',
  CERT_NOT_YET_VALID: 'the certificate of the server is not valid yet',
  CERT_REVOKED: 'the certificate of the server was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate of the server is signed by nobody who is known here',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate of the server is signed by an authority that is not known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate of the server is signed by an authority that is not known here',
  UNABLE_TO_GET_ISSUER_CERT: 'the certificate of the server is signed by an authority that is not known here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the certificate of the server is signed by an authority that is not known here',
  CERT_SIGNATURE_FAILURE: 'the certificate of the server is not signed by the authority that it names',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate of the server is for another host'
}

const tlsRemedy = 'Replace the certificate; or name the authority in clickhouse_ca_file, and the certificate of this client in clickhouse_certificate_file; or write http://.'

/** What a statement of an owner that is not the newest one any more fails with. */
export const FENCED = 'twolane: the partition has another owner'

/** The engine's code of an error that this module threw; undefined: it did not come from the engine. */
export function engineCode (error: unknown): number | undefined {
  const cause = error instanceof PlatformError ? error.cause : error
  return cause instanceof ClickHouseError ? Number(cause.code) : undefined
}

/** Whether no host can have got the statement: there was no connection, or the host was not the right one. */
export function neverSent (error: unknown): boolean {
  const code = socketCode(error)
  return unconnected.has(code) || certificateFaults[code] !== undefined
}

/** What an error of the client means. No answer, or none that the engine wrote, means that the outcome is not known. */
export function classify (error: unknown, address: string): PlatformError {
  if (error instanceof PlatformError) return error
  const code = engineCode(error)
  const message = `ClickHouse at ${address}: ${describe(error)}`
  if (code === undefined) return unanswered(error, address, message)
  if (code === throwIfCode && message.includes(FENCED)) {
    return new PlatformError('BROKER_FENCED', 'the partition has a newer owner, which writes to ClickHouse now', { cause: error, remedy: 'Nothing to do: the newer one goes on.' })
  }
  const full = code === noSpace || (fileCodes.has(code) && /No space left on device/.test(message))
  const remedy = remedies.get(full ? noSpace : code)
  const more = { cause: error, ...(remedy !== undefined && { remedy }) }
  if (full) return new PlatformError('DISK_FULL', message, more)
  return new PlatformError(retryableCodes.has(code) ? 'DESTINATION_UNAVAILABLE' : 'DESTINATION_REFUSED', message, more)
}

function unanswered (error: unknown, address: string, message: string): PlatformError {
  const fault = tlsFault(socketCode(error), message)
  if (fault === undefined) return new PlatformError('DESTINATION_UNAVAILABLE', message, { cause: error, remedy: 'Check that ClickHouse runs and can be reached.' })
  return new PlatformError('DESTINATION_REFUSED', `ClickHouse at ${address}: ${fault} (${describe(error)})`, { cause: error, remedy: tlsRemedy })
}

function tlsFault (code: string, message: string): string | undefined {
  if (certificateFaults[code] !== undefined) return certificateFaults[code]
  if (code !== 'EPROTO' && !code.startsWith('ERR_SSL_')) return undefined
  return /wrong version number/i.test(message) ? 'the server does not speak TLS there' : 'the server refuses the certificate of this client, or wants one'
}

function socketCode (error: unknown): string {
  const cause = error instanceof PlatformError ? error.cause : error
  return String((cause as { code?: unknown } | undefined)?.code ?? '')
}
