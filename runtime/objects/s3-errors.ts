import { PlatformError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'

interface Meaning {
  readonly code: ErrorCode
  readonly says: string
  readonly remedy?: string
}

const credentials = 'Check access_key and secret_key, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_PROFILE in the environment of the platform.'
const unknownKey: Meaning = { code: 'DESTINATION_REFUSED', says: 'The store does not know the access key', remedy: credentials }
const expired: Meaning = { code: 'DESTINATION_REFUSED', says: 'The temporary credentials have expired or are not valid', remedy: 'Renew them where they come from.' }
const wrongRegion: Meaning = { code: 'DESTINATION_REFUSED', says: 'The bucket is in another region', remedy: 'Set `region` to that of the bucket.' }
const full: Meaning = { code: 'DISK_FULL', says: 'The store has no room left', remedy: 'Give it more or raise the quota; the rows wait in the topic.' }
const busy: Meaning = { code: 'DESTINATION_UNAVAILABLE', says: 'The store asks for fewer requests' }

/** By the store's own word for it. */
const byName: Readonly<Record<string, Meaning>> = {
  InvalidAccessKeyId: unknownKey,
  XAdminUserNotFound: unknownKey,
  SignatureDoesNotMatch: { code: 'DESTINATION_REFUSED', says: 'The secret key does not belong to the access key', remedy: credentials },
  CredentialsProviderError: { code: 'DESTINATION_REFUSED', says: 'There are no credentials for the store', remedy: credentials },
  ExpiredToken: expired,
  InvalidToken: expired,
  TokenRefreshRequired: expired,
  AccessDenied: {
    code: 'DESTINATION_REFUSED', says: 'The credentials do not allow it', remedy: 'Allow s3:PutObject, s3:GetObject, s3:ListBucket, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucketMultipartUploads on the bucket.'
  },
  NoSuchBucket: { code: 'DESTINATION_REFUSED', says: 'There is no such bucket', remedy: 'Make it, or correct its name; the platform makes none.' },
  AuthorizationHeaderMalformed: wrongRegion,
  PermanentRedirect: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  RequestTimeTooSkewed: { code: 'DESTINATION_REFUSED', says: 'The clock of this machine differs too much from that of the store', remedy: 'Set the clock.' },
  QuotaExceeded: full,
  XMinioStorageFull: full,
  SlowDown: busy,
  ThrottlingException: busy,
  // Its uploads were aborted by the store or by another writer of the same range.
  NoSuchUpload: { code: 'DESTINATION_UNAVAILABLE', says: 'The upload was ended from elsewhere' }
}
const late: Meaning = { code: 'DESTINATION_UNAVAILABLE', says: 'The store did not answer in time', remedy: 'Where it is only slow, raise timeout_seconds.' }

interface StoreError extends Error {
  readonly code?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

/** What a failed request to a store means to the runtime. */
export function s3Error (error: unknown, where: string): PlatformError {
  if (error instanceof PlatformError) return error
  const { code, says, remedy } = meaningOf(error as StoreError)
  return new PlatformError(code, says, { where, cause: error, ...(remedy !== undefined && { remedy }) })
}

function meaningOf (error: StoreError): Meaning {
  const { name, code, message } = error
  const known = byName[name]
  if (known !== undefined) return { ...known, says: told(known.says, message) }
  // The client gives this name to a connection that was reset, too; its text about a limit is for who writes a client.
  if (name === 'TimeoutError' && (code === undefined || code === 'ETIMEDOUT')) return late
  if (message === 'Region is missing') return { code: 'CONFIG_INVALID', says: 'The region of the bucket is not known', remedy: 'Set `region`, or AWS_REGION in the environment of the platform.' }
  const status = error.$metadata?.httpStatusCode
  if (status === 507) return full
  if (status !== undefined && status >= 300 && status < 500 && status !== 408 && status !== 409 && status !== 429) {
    return { code: 'DESTINATION_REFUSED', says: told(`The store refused with ${status} ${name}`, message) }
  }
  if (status !== undefined) return { code: 'DESTINATION_UNAVAILABLE', says: told(`The store failed with ${status} ${name}`, message) }
  if (code !== undefined && /CERT|SIGNATURE|SSL|TLS|ALTNAME/.test(code)) {
    return { code: 'DESTINATION_UNAVAILABLE', says: `The certificate of the store is not trusted: ${message}`, remedy: 'Renew it, or name the authority that signed it in NODE_EXTRA_CA_CERTS.' }
  }
  if (code !== undefined) return { code: 'DESTINATION_UNAVAILABLE', says: `The store cannot be reached: ${message === '' ? code : message}`, remedy: 'Check `endpoint` and the network.' }
  return { code: 'PLUGIN_FAILED', says: message }
}

function told (says: string, message: string): string {
  return message === '' || message === 'UnknownError' ? says : `${says}: ${message}`
}
