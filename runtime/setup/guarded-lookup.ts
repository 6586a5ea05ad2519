// Names are looked up once, all their addresses are checked, and the connection goes to one of these: a name server that
// says something else the next time is not asked again.

import dns from 'node:dns'
import { isIP } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { PlatformError } from '../errors.ts'
import { allowRemedy } from './address-policy.ts'
import type { LookupAddress, LookupOptions } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { AddressPolicy } from './address-policy.ts'

/** As dns.lookup with `all`; tests bring a resolver of their own. */
export type Lookup = (host: string, options: LookupOptions & { readonly all: true }, callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void

export const systemLookup: Lookup = (host, options, callback) => dns.lookup(host, options, callback)

/** Thrown into a connection that may not be made. */
export function refusedConnection (reason: string): PlatformError {
  return new PlatformError('REQUEST_REFUSED', reason, { remedy: allowRemedy })
}

/** For `lookup` of a socket: gives addresses only where all of them may be connected to. */
export function guardedLookup (policy: AddressPolicy, port: number, lookup: Lookup = systemLookup): LookupFunction {
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      const answer = callback as (error: Error | null, address: string | LookupAddress[], family?: number) => void
      if (error !== null) return answer(error, options.all === true ? [] : '')
      const reason = addresses.map(({ address }) => policy.refusal(address, host, port)).find(found => found !== undefined)
      const [first] = addresses
      if (reason !== undefined || first === undefined) return answer(reason === undefined ? new Error(`${host} has no address`) : refusedConnection(reason), options.all === true ? [] : '')
      if (options.all === true) answer(null, addresses)
      else answer(null, first.address, first.family)
    })
  }
}

/** For undici's `request`: webhooks and whatever else the platform itself calls because somebody asked for it over the network. */
export function guardedAgent (policy: AddressPolicy, { lookup = systemLookup, timeoutMs = 10_000 }: { readonly lookup?: Lookup, readonly timeoutMs?: number } = {}): Agent {
  return new Agent({
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect (options, callback) {
      const port = Number(options.port === '' ? (options.protocol === 'https:' ? 443 : 80) : options.port)
      const host = options.hostname.replace(/^\[(.*)\]$/, '$1')
      // An address is not looked up, so it is checked here.
      const reason = isIP(host) > 0 ? policy.refusal(host, host, port) : undefined
      if (reason !== undefined) return callback(refusedConnection(reason), null)
      buildConnector({ timeout: timeoutMs, lookup: guardedLookup(policy, port, lookup) })(options, callback)
    }
  })
}
