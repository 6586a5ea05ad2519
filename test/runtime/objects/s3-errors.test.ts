import t from 'tap'
import { s3Error } from '../../../runtime/objects/s3-errors.ts'
import { PlatformError } from '../../../runtime/errors.ts'

const failed = (name: string, status: number | undefined, message = 'said the store', code?: string): Error =>
  Object.assign(new Error(message), { name, code, ...(status !== undefined && { $metadata: { httpStatusCode: status } }) })

await t.test('what a store says becomes what to do about it', async t => {
  const cases: ReadonlyArray<readonly [Error, string, RegExp]> = [
    [failed('InvalidAccessKeyId', 403), 'DESTINATION_REFUSED', /does not know the access key: said the store\. Check access_key/],
    [failed('ExpiredToken', 400), 'DESTINATION_REFUSED', /expired.*Renew them/],
    [failed('AccessDenied', 403, 'Access Denied'), 'DESTINATION_REFUSED', /do not allow it: Access Denied\. Allow s3:PutObject/],
    [failed('PermanentRedirect', 301), 'DESTINATION_REFUSED', /another region.*Set `region`/],
    [failed('RequestTimeTooSkewed', 403), 'DESTINATION_REFUSED', /clock.*Set the clock/],
    [failed('XMinioStorageFull', 507), 'DISK_FULL', /no room left.*rows wait in the topic/],
    [failed('InsufficientStorage', 507), 'DISK_FULL', /no room left/],
    [failed('SlowDown', 503, 'Please reduce your request rate.'), 'DESTINATION_UNAVAILABLE', /fewer requests: Please reduce/],
    [failed('InternalError', 500), 'DESTINATION_UNAVAILABLE', /failed with 500 InternalError: said the store/],
    [failed('TooManyRequests', 429), 'DESTINATION_UNAVAILABLE', /failed with 429/],
    [failed('ServiceUnavailable', 503, 'UnknownError'), 'DESTINATION_UNAVAILABLE', /failed with 503 ServiceUnavailable$/],
    [failed('MethodNotAllowed', 405), 'DESTINATION_REFUSED', /refused with 405 MethodNotAllowed/],
    [failed('TimeoutError', undefined, 'a limit', 'ETIMEDOUT'), 'DESTINATION_UNAVAILABLE', /in time\. Where it is only slow/],
    [failed('TimeoutError', undefined, 'socket hang up', 'ECONNRESET'), 'DESTINATION_UNAVAILABLE', /cannot be reached: socket hang up/],
    [failed('AggregateError', undefined, '', 'ECONNREFUSED'), 'DESTINATION_UNAVAILABLE', /cannot be reached: ECONNREFUSED\. Check `endpoint`/],
    [failed('Error', undefined, 'certificate has expired', 'CERT_HAS_EXPIRED'), 'DESTINATION_UNAVAILABLE', /not trusted: certificate has expired.*NODE_EXTRA_CA_CERTS/],
    [failed('Error', undefined, 'unable to verify the first certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'DESTINATION_UNAVAILABLE', /not trusted.*NODE_EXTRA_CA_CERTS/],
    [failed('Error', undefined, 'self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT'), 'DESTINATION_UNAVAILABLE', /not trusted/],
    [failed('Error', undefined, 'Region is missing'), 'CONFIG_INVALID', /region of the bucket is not known.*AWS_REGION/],
    [failed('TypeError', undefined, 'a fault of ours'), 'PLUGIN_FAILED', /a fault of ours/]
  ]
  for (const [error, code, says] of cases) {
    const { name, message } = error
    const translated = s3Error(error, 's3://bucket/x')
    t.equal(translated.code, code, `${name}: ${message}`)
    t.match(translated.toString(), says)
    t.equal(translated.where, 's3://bucket/x')
    t.equal(translated.cause, error)
  }
})

await t.test('an error of the platform stays as it is', async t => {
  const error = new PlatformError('NOT_FOUND', 'x')
  t.equal(s3Error(error, 'y'), error)
})
