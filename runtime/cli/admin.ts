// The commands' way to the admin endpoint of the running platform.

import { X509Certificate } from 'node:crypto'
import { Agent, request } from 'undici'
import { findPlatform } from '../control/address.ts'
import { describe, PlatformError } from '../errors.ts'
import type { Readable } from 'node:stream'
import type { Terminal } from './terminal.ts'

/** Above the longest time that a change of pipelines may take. */
const ANSWER_MS_MAX = 180_000

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export interface Admin {
  readonly url: string
  /** The answer's JSON. Throws a PlatformError with what the platform says is wrong, unless the status is `also`. `body` is sent as JSON. */
  json<T> (method: Method, path: string, also?: number, body?: object): Promise<T>
  /** An answer that is no JSON, as it comes. */
  stream (path: string, text: string): Promise<Readable>
  /** Likewise, of a GET; it goes on until the platform ends it, or the signal. */
  follow (path: string, signal: AbortSignal | undefined): Promise<Readable>
}

/** Options of every command that talks to the platform. */
export const adminOptions = { token: { type: 'string' } } as const

export async function connect ({ root, env }: Pick<Terminal, 'root' | 'env'>, token: string | undefined): Promise<Admin> {
  const address = await findPlatform({ root, env, token })
  const dispatcher = address.certificate === undefined ? undefined : trusting(address.certificate)
  const send = async (method: Method, path: string, text?: string, type = 'text/plain', signal?: AbortSignal): Promise<Awaited<ReturnType<typeof request>>> => {
    try {
      return await request(`${address.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${address.token}`, 'user-agent': 'twolane', ...(text !== undefined && { 'content-type': type }) },
        headersTimeout: ANSWER_MS_MAX,
        ...(text !== undefined && { body: text }),
        ...(signal !== undefined && { signal }),
        ...(dispatcher !== undefined && { dispatcher })
      })
    } catch (cause) {
      throw new PlatformError('NOT_RUNNING', `No platform answers at ${address.url}: ${describe(cause)}`, { remedy: 'Start it with npm start, or set TWOLANE_URL to its address.', cause })
    }
  }
  return {
    url: address.url,
    async json<T> (method: Method, path: string, also?: number, given?: object): Promise<T> {
      const { statusCode, body } = await send(method, path, ...given === undefined ? [] : [JSON.stringify(given), 'application/json'])
      const text = await body.text()
      if (statusCode !== 200 && statusCode !== also) throw refusal(statusCode, text)
      const answer = parse(text)
      if (answer === undefined) throw refusal(statusCode, text)
      return answer as T
    },
    async stream (path, text) {
      const { statusCode, body } = await send('POST', path, text)
      if (statusCode !== 200) throw refusal(statusCode, await body.text())
      return body
    },
    async follow (path, signal) {
      const { statusCode, body } = await send('GET', path, undefined, undefined, signal)
      if (statusCode !== 200) throw refusal(statusCode, await body.text())
      return body
    }
  }
}

/** Trusts this certificate and no other, whatever name it is for: it is that of the platform on this machine. */
function trusting (pem: string): Agent {
  const { fingerprint256 } = new X509Certificate(pem)
  return new Agent({
    connect: {
      ca: pem,
      allowPartialTrustChain: true,
      checkServerIdentity: (_host, found) => found.fingerprint256 === fingerprint256 ? undefined : new Error('it shows another certificate than the one of the configuration')
    }
  })
}

function refusal (status: number, text: string): Error {
  const { detail, remedy } = (parse(text) ?? {}) as { readonly detail?: string, readonly remedy?: string }
  if (detail === undefined) return new PlatformError('NOT_RUNNING', `What answers there is no platform (HTTP ${status})`, { remedy: 'Check TWOLANE_URL.' })
  if (status === 401) return new PlatformError('UNAUTHORIZED', 'The platform does not know this admin token', { remedy: 'Check TWOLANE_ADMIN_TOKEN or --token.' })
  return new PlatformError('REQUEST_REFUSED', detail, remedy === undefined ? {} : { remedy })
}

/** Undefined: it is no JSON, so it is not the platform that answers there. */
function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
