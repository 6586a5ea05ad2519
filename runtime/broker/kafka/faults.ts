// What goes wrong with a Kafka, in the platform's words.

import { describe, PlatformError } from '../../errors.ts'

/** The errors of the client library carry one or more of these. */
interface Fault {
  readonly name?: string
  readonly type?: string
  readonly code?: string | number
  readonly retriable?: boolean
  readonly message?: string
}

const fencing = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING', 'FENCED_INSTANCE_ID'])
const passing = new Set(['CONCURRENT_TRANSACTIONS', 'NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION', 'FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH', 'OFFSET_NOT_AVAILABLE', 'KAFKA_STORAGE_ERROR', 'NOT_CONTROLLER'])
const connecting = new Set(['KafkaJSConnectionError', 'KafkaJSConnectionClosedError', 'KafkaJSRequestTimeoutError', 'KafkaJSLockTimeout'])
const sizes = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])
/** 90: the library's list of errors ends before it. */
const PRODUCER_FENCED = 90

const certificates: Readonly<Record<string, readonly [what: string, remedy: string]>> = {
  CERT_HAS_EXPIRED: ['the certificate of the broker has expired', 'Renew the certificate of the broker.'],
  CERT_NOT_YET_VALID: ['the certificate of the broker is not valid yet', 'Check the clocks of both machines.'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['the broker has a certificate that it signed itself', 'Give that certificate as kafka_ca_file.'],
  SELF_SIGNED_CERT_IN_CHAIN: ['the certificate of the broker comes from an authority that is not trusted', 'Give the certificate of the authority as kafka_ca_file.'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['the certificate of the broker comes from an authority that is not trusted', 'Give the certificate of the authority as kafka_ca_file.'],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['the certificate of the broker comes from an authority that is not trusted', 'Give the certificate of the authority as kafka_ca_file.'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['the certificate of the broker is for another host', 'Use the host name that the certificate has, or have one made for this host.'],
  CERT_REVOKED: ['the certificate of the broker was revoked', 'Renew the certificate of the broker.']
}

/** How a broker says that it wants another certificate of its client. */
const clientCertificates = /ALERT_(?:BAD_CERTIFICATE|CERTIFICATE_REQUIRED|UNKNOWN_CA|CERTIFICATE_EXPIRED|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE)/

/** Whether the same again, a moment later, may succeed. */
export function isPassing (error: unknown): boolean {
  if (error instanceof PlatformError) return error.retryable
  return faults(error).some(({ name = '', type = '', retriable }) => connecting.has(name) || passing.has(type) || (type !== '' && retriable === true)) && !isRefusal(error)
}

/** Whether a newer owner has taken over. */
export function isFenced (error: unknown): boolean {
  return faults(error).some(({ type = '', code }) => fencing.has(type) || code === PRODUCER_FENCED)
}

export function hasType (error: unknown, ...types: readonly string[]): boolean {
  return faults(error).some(({ type }) => type !== undefined && types.includes(type))
}

/** `doing`: what was tried, such as `Appending to quotes`. */
export function translate (error: unknown, doing: string): PlatformError {
  if (error instanceof PlatformError) return error
  const refusal = refused(error, doing)
  if (refusal !== undefined) return refusal
  if (isFenced(error)) return fenced(doing)
  if (faults(error).some(({ type = '' }) => sizes.has(type))) {
    return new PlatformError('ROW_INVALID', `${doing} failed: it is larger than the topic takes`, { remedy: 'Raise max.message.bytes of the topic, or send smaller rows.', cause: error })
  }
  const silent = unexplained(error)
  if (silent !== undefined) return new PlatformError('BROKER_UNAVAILABLE', `${doing} failed: ${silent[0]}`, { remedy: `${silent[1]} It is tried again until then.`, cause: error })
  return new PlatformError('BROKER_UNAVAILABLE', `${doing} failed: ${describe(error)}`, { remedy: 'Check that Kafka runs and can be reached; it is tried again until then.', cause: error })
}

export function madeAnew (topic: string): PlatformError {
  return new PlatformError('BROKER_OFFSET_LOST', `The topic ${topic} was deleted and made anew`, { remedy: 'Nothing to do: outputs go on with the new one. What they had not taken of the old one is lost.' })
}

export function fenced (who: string): PlatformError {
  return new PlatformError('BROKER_FENCED', `${who}: there is a newer owner`, { remedy: 'Nothing to do: the newer one goes on.' })
}

/** What the broker's own words do not say, or not so that one knows what to do. */
function unexplained (error: unknown): readonly [what: string, remedy: string] | undefined {
  for (const { name = '', type = '', message = '' } of faults(error)) {
    if (type === 'INVALID_TIMESTAMP') return ['the clock of this machine is further from that of the broker than Kafka allows (message.timestamp.after.max.ms, an hour)', 'Let both follow a time server (NTP).']
    if (/before secure TLS connection/.test(message)) return ['the broker ended the connection when TLS began', 'Where its port does not speak TLS, set kafka_tls: false and no certificates.']
    if (name === 'KafkaJSConnectionClosedError') return ['the broker closed the connection; it may have gone down, or want TLS or a login', 'Check that Kafka runs, and kafka_tls and kafka_sasl.']
  }
  return undefined
}

function isRefusal (error: unknown): boolean {
  return refused(error, '') !== undefined
}

/** What needs a hand: credentials, certificates, permissions. */
function refused (error: unknown, doing: string): PlatformError | undefined {
  for (const { name = '', type = '', code, message = '' } of faults(error)) {
    const certificate = typeof code === 'string' ? certificates[code] : undefined
    if (certificate !== undefined) return refusal(doing, certificate[0], certificate[1], error)
    if (name === 'KafkaJSSASLAuthenticationError' || type === 'SASL_AUTHENTICATION_FAILED') {
      return refusal(doing, `Kafka does not accept the user or the password (${message})`, 'Compare kafka_user and kafka_password with what the brokers know, and kafka_sasl with how they let this user log in.', error)
    }
    if (type.endsWith('_AUTHORIZATION_FAILED')) return refusal(doing, `the Kafka user may not do that (${type})`, 'Allow the user to read, write, create and describe the platform\'s topics, groups and transactional ids.', error)
    if (type === 'ILLEGAL_SASL_STATE') return refusal(doing, 'this port of the broker takes no login', 'Leave kafka_sasl empty, or use the port that is for logins.', error)
    if (typeof code === 'string' && clientCertificates.test(code)) {
      return refusal(doing, 'the broker does not accept the certificate of this client, or misses one', 'Set kafka_certificate_file and kafka_key_file to a certificate from an authority that the brokers trust.', error)
    }
    if (typeof code === 'string' && code.startsWith('ERR_SSL_')) return refusal(doing, `no encryption could be agreed on with the broker (${code})`, 'Check that the port speaks TLS; kafka_tls: false is for one that does not.', error)
  }
  return undefined
}

function refusal (doing: string, what: string, remedy: string, cause: unknown): PlatformError {
  return new PlatformError('BROKER_REFUSED', `${doing} failed: ${what}`, { remedy, cause })
}

/** The error and what it was made from: the library wraps what it gives up on. */
function faults (error: unknown): Fault[] {
  const found: Fault[] = []
  const look = (one: unknown): void => {
    if (typeof one !== 'object' || one === null || found.length > 10) return
    found.push(one as Fault)
    look((one as { cause?: unknown }).cause)
    look((one as { originalError?: unknown }).originalError)
    for (const each of (one as { errors?: unknown[] }).errors ?? []) look(each)
  }
  look(error)
  return found
}
