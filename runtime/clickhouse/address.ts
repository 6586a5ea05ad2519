// Where ClickHouse is, in one text, so that it travels as one value:
//
//   https://user:password@host1:8443,host2:8443/?cluster=name&ca=/ca.pem&certificate=/client.pem&key=/client.key
//
// Several hosts are the nodes of one cluster. Files are absolute paths; what is not named here goes to the client as it is.

import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { PlatformError, describe } from '../errors.ts'

export interface Address {
  /** Without the password: for people. */
  readonly text: string
  /** A URL each, with the path and the parameters that are the client's; without user and password. */
  readonly urls: readonly string[]
  readonly username: string
  readonly password: string
  /** Empty: one server. */
  readonly cluster: string
  readonly files: TlsFiles
}

/** Paths of PEM files. */
export interface TlsFiles {
  readonly ca?: string
  readonly certificate?: string
  readonly key?: string
}

/** What the files hold. */
export interface Tls {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
}

const form = /^(https?:)\/\/(?:([^@/?#]*)@)?([^@/?#]+)([^?#]*)(?:\?([^#]*))?$/
const remedy = 'Write it as http://host:8123 or https://user:password@host:8443.'
const ownParameters = ['cluster', 'ca', 'certificate', 'key'] as const

/** Throws CONFIG_INVALID. No message of it holds the text: there may be a password in it. */
export function parseAddress (text: string): Address {
  const [, protocol = '', credentials = '', hosts = '', path = '', query = ''] = form.exec(text) ?? []
  const names = hosts.split(',')
  if (protocol === '' || names.some(name => URL.parse(`${protocol}//${name}`)?.host === undefined)) throw invalid('the address of ClickHouse is not a URL')
  const parameters = new URLSearchParams(query)
  const { cluster = '', ...files } = Object.fromEntries(ownParameters.flatMap(name => {
    const value = parameters.get(name) ?? ''
    parameters.delete(name)
    return value === '' ? [] : [[name, value]]
  })) as { cluster?: string } & TlsFiles
  if (names.length > 1 && cluster === '') {
    throw invalid('ClickHouse has several hosts and no cluster: what is stored on one server is not on another', 'Set clickhouse_cluster to the name of the cluster that they belong to, or name one host.')
  }
  if ((files.certificate === undefined) !== (files.key === undefined)) throw invalid('a certificate of the client needs its key, and a key its certificate', 'Name both files.')
  if (protocol === 'http:' && Object.keys(files).length > 0) throw invalid('certificates are for https, and the address of ClickHouse begins with http', 'Write https://, or leave the files out.')
  const colon = credentials.indexOf(':')
  const rest = `${path}${parameters.size === 0 ? '' : `?${parameters.toString()}`}`
  return {
    text: `${protocol}//${hosts}`,
    urls: names.map(name => `${protocol}//${name}${rest}`),
    username: decoded(colon < 0 ? credentials : credentials.slice(0, colon)),
    password: colon < 0 ? '' : decoded(credentials.slice(colon + 1)),
    cluster,
    files
  }
}

/** The address with more parameters; those that it has itself win. */
export function withParameters (text: string, parameters: Readonly<Record<typeof ownParameters[number], string>>): string {
  const [before = '', query = ''] = text.split('?', 2)
  const all = new URLSearchParams(query)
  for (const [name, value] of Object.entries(parameters)) if (value !== '' && !all.has(name)) all.set(name, value)
  return all.size === 0 ? before : `${before}?${all.toString()}`
}

/** Reads the files anew each time: a certificate that was replaced counts from the next connection on. */
export async function readTls ({ ca, certificate, key }: TlsFiles): Promise<Tls> {
  const [caText, cert, keyText] = await Promise.all([ca, certificate, key].map(async path => path === undefined ? undefined : read(path)))
  if (ca !== undefined && caText !== undefined) checkCertificate(ca, caText)
  if (certificate !== undefined && cert !== undefined) checkCertificate(certificate, cert, key, keyText)
  return { ...(caText !== undefined && { ca: caText }), ...(cert !== undefined && { cert }), ...(keyText !== undefined && { key: keyText }) }
}

async function read (path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new PlatformError('CONFIG_INVALID', `a certificate file for ClickHouse cannot be read: ${describe(cause)}`, { where: path, remedy: 'Correct the path, or let this user read the file.', cause })
  }
}

function checkCertificate (path: string, pem: Buffer, keyPath?: string, key?: Buffer): void {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(pem)
  } catch (cause) {
    throw new PlatformError('CONFIG_INVALID', 'this is no certificate in PEM form', { where: path, remedy: 'Name a file that begins with -----BEGIN CERTIFICATE-----.', cause })
  }
  const subject = certificate.subject.replaceAll('\n', ', ')
  if (certificate.validToDate.getTime() < Date.now()) {
    throw new PlatformError('DESTINATION_REFUSED', `the certificate of ${subject} expired on ${certificate.validToDate.toISOString()}`, { where: path, remedy: 'Replace the file; it is read again at the next attempt.' })
  }
  if (key === undefined) return
  try {
    if (certificate.checkPrivateKey(createPrivateKey(key))) return
  } catch (cause) {
    throw new PlatformError('CONFIG_INVALID', 'this is no private key in PEM form without a passphrase', { where: keyPath ?? path, remedy: 'Name the key of the certificate.', cause })
  }
  throw new PlatformError('CONFIG_INVALID', `the key is not that of the certificate of ${subject}`, { where: keyPath ?? path, remedy: 'Name the key of the certificate.' })
}

function invalid (message: string, what = remedy): PlatformError {
  return new PlatformError('CONFIG_INVALID', message, { where: 'clickhouse', remedy: what })
}

/** A part of a URL as it is meant. */
export function decoded (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A percent sign that encodes nothing stands for itself.
    return text
  }
}
