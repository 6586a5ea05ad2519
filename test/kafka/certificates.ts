// An authority and certificates of 127.0.0.1 for tests of TLS, by the openssl program.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Certificate {
  /** PEM, the certificate itself first, then its authority's. */
  readonly certificate: string
  /** PEM (PKCS 8). */
  readonly key: string
}

export interface Authority {
  /** PEM, what a client trusts. */
  readonly certificate: string
  /** A certificate of 127.0.0.1 that is good for `days`; a negative number: that has expired. */
  issue (name: string, days: number): Certificate
}

/** Makes an authority in `folder`. */
export function makeAuthority (folder: string, name: string): Authority {
  mkdirSync(folder, { recursive: true })
  const path = (file: string): string => join(folder, file)
  const openssl = (...args: string[]): void => { execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] }) }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '30', '-subj', `/CN=${name}`)
  const certificate = readFileSync(path(`${name}.pem`), 'utf8')
  return {
    certificate,
    issue (own, days) {
      writeFileSync(path(`${own}.ext`), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
      openssl('req', ...newKey, '-keyout', `${own}.key`, '-out', `${own}.csr`, '-subj', `/CN=${own}`)
      openssl('x509', '-req', '-in', `${own}.csr`, '-CA', `${name}.pem`, '-CAkey', `${name}.key`, '-CAcreateserial', '-days', String(days), '-extfile', `${own}.ext`, '-out', `${own}.pem`)
      return { certificate: readFileSync(path(`${own}.pem`), 'utf8') + certificate, key: readFileSync(path(`${own}.key`), 'utf8') }
    }
  }
}
