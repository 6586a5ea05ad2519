import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { HttpServerConfig } from './options.ts'

/** Both give what is wrong, undefined: nothing. */
export interface Authenticator {
  /** By the headers alone, before the body is received. */
  token (headers: IncomingHttpHeaders): string | undefined
  signature (headers: IncomingHttpHeaders, body: Buffer): string | undefined
}

/** Asks for nothing that the configuration leaves out. */
export function authenticator ({ token, signature_secret: secret, signature_header: header }: HttpServerConfig): Authenticator {
  return {
    token ({ authorization = '' }) {
      if (token === null) return undefined
      const [, given] = /^bearer +(\S+)$/i.exec(authorization) ?? []
      if (given === undefined) return 'Send the token as Authorization: Bearer <token>.'
      return same(digest(given), digest(token)) ? undefined : 'The token is not the right one.'
    },

    signature (headers, body) {
      if (secret === null) return undefined
      const given = headers[header.toLowerCase()]
      if (typeof given !== 'string' || given === '') return `Send the signature of the body as ${header}.`
      const text = given.replace(/^sha256=/i, '')
      const bytes = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64')
      return same(bytes, createHmac('sha256', secret).update(body).digest()) ? undefined : 'The signature does not fit the body.'
    }
  }
}

/** Of one length, whatever was sent: the comparison tells nothing by its time. */
function digest (text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function same (a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
