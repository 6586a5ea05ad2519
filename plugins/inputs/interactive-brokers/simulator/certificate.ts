import { createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/*
 * A self-signed X.509 certificate for localhost, written as DER by hand, for Node can read certificates but not make
 * them. SEQUENCE { tbs, ecdsa-with-SHA256, BIT STRING signature }, where
 * tbs = SEQUENCE { [0] version 3, serial, algorithm, issuer, validity, subject, public key, [3] extensions }.
 */
const sequence = (...parts: readonly Buffer[]) => element(0x30, ...parts)
const set = (...parts: readonly Buffer[]) => element(0x31, ...parts)
const integer = (bytes: Buffer) => element(0x02, bytes)
const oid = (hex: string) => element(0x06, Buffer.from(hex, 'hex'))
const octets = (...parts: readonly Buffer[]) => element(0x04, ...parts)
const bits = (bytes: Buffer) => element(0x03, Buffer.of(0), bytes)
const time = (date: Date) => element(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`))

const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
const commonName = '550403'
const subjectAlternativeName = '551d11'
const basicConstraints = '551d13'
const dayMs = 86_400_000

/** A key and a certificate for localhost and 127.0.0.1, valid for a year; new at every call, known to nobody. */
export function createCertificate (): { readonly key: string, readonly cert: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const name = sequence(set(sequence(oid(commonName), element(0x0c, Buffer.from('localhost')))))
  const localhost = sequence(element(0x82, Buffer.from('localhost')), element(0x87, Buffer.of(127, 0, 0, 1)))
  const authority = sequence(element(0x01, Buffer.of(0xff)))
  const extensions = sequence(
    sequence(oid(subjectAlternativeName), octets(localhost)),
    sequence(oid(basicConstraints), element(0x01, Buffer.of(0xff)), octets(authority))
  )
  const serial = randomBytes(8)
  serial[0] = 0x40 | (serial[0]! & 0x3f) // a positive number without leading zeros
  const tbs = sequence(
    element(0xa0, integer(Buffer.of(2))),
    integer(serial),
    ecdsaWithSha256,
    name,
    sequence(time(new Date(Date.now() - dayMs)), time(new Date(Date.now() + 365 * dayMs))),
    name,
    createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
    element(0xa3, extensions)
  )
  const der = sequence(tbs, ecdsaWithSha256, bits(sign('sha256', tbs, privateKey)))
  const lines = der.toString('base64').match(/.{1,64}/g)!.join('\n')
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n` }
}

function element (tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const n = content.length
  const length = n < 0x80 ? [n] : n < 0x100 ? [0x81, n] : [0x82, n >> 8, n & 0xff]
  return Buffer.concat([Buffer.of(tag, ...length), content])
}
