// Where a connection may go that is made for somebody who asks over the network: to addresses of the public internet, and
// to what `connect_allow` of the configuration names. Without that a person who may set up sources could look through the
// platform at what only its machine can reach: services on loopback, neighbours in its network, the metadata of a cloud.

import { BlockList, isIP } from 'node:net'
import { PlatformError } from '../errors.ts'
import { quote } from '../problems.ts'

export interface AddressPolicy {
  /**
   * Undefined where a connection to that address may be made, else why not. `host` is what the configuration calls it;
   * the address is an IP address, as it was looked up.
   */
  refusal (address: string, host: string, port: number): string | undefined
}

/** IPv4 networks that are no public ones (IANA's special-purpose registry), with multicast and what is reserved. */
const closed = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4']
/** Of IPv6 only this one is public, but for what is set aside in it: tunnels that carry IPv4 addresses, examples, benchmarks. */
const global6 = '2000::/3'
const closed6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

const closedNetworks = blockList([...closed, ...closed6])
const globalNetwork = blockList([global6])

/** Reads `connect_allow`: hosts, addresses and networks, each with or without a port. Throws CONFIG_INVALID. */
export function addressPolicy (allow: readonly string[]): AddressPolicy {
  const entries = allow.map(readEntry)
  return {
    refusal (address, host, port) {
      const bare = unmapped(address)
      if (isPublic(bare)) return undefined
      const name = host.toLowerCase().replace(/\.$/, '')
      const fits = entries.some(entry => (entry.port === undefined || entry.port === port) && (entry.name === name || entry.networks?.check(bare, isIP(bare) === 6 ? 'ipv6' : 'ipv4') === true))
      if (fits) return undefined
      return `${name === bare ? name : `${name} (${bare})`} is ${kindOf(bare)}, and nobody allowed to connect there`
    }
  }
}

/** What to do about a refusal. */
export const allowRemedy = 'Whoever keeps the platform can name the host or its network in connect_allow of config/platform.yaml.'

/** An address of the public internet. */
export function isPublic (address: string): boolean {
  switch (isIP(address)) {
    case 4: return !closedNetworks.check(address)
    case 6: return globalNetwork.check(address, 'ipv6') && !closedNetworks.check(address, 'ipv6')
    default: return false
  }
}

/** An IPv4 address that is written as an IPv6 one (::ffff:127.0.0.1, ::ffff:7f00:1) as itself; others as they are. */
function unmapped (address: string): string {
  if (isIP(address) !== 6) return address
  const canonical = URL.parse(`http://[${address.replace(/%.*$/, '')}]`)?.hostname.slice(1, -1) ?? address
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? []
  if (high === undefined || low === undefined) return canonical
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}

function kindOf (address: string): string {
  const of = (...networks: string[]): boolean => blockList(networks).check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  if (of('127.0.0.0/8', '::1/128', '0.0.0.0/8', '::/128')) return 'this machine'
  if (of('169.254.0.0/16', 'fe80::/10')) return 'a link-local address'
  if (of('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7')) return 'in a private network'
  return 'no address of the public internet'
}

interface Entry {
  readonly name?: string
  readonly networks?: BlockList
  readonly port: number | undefined
}

function readEntry (text: string): Entry {
  const [, bracketed, bits6 = '', plain, port] = /^(?:\[([^\]]+)\](\/\d+)?|([^:]+|[0-9a-fA-F:.]+(?:\/\d+)?))(?::(\d{1,5}))?$/.exec(text.trim()) ?? []
  const place = bracketed === undefined ? plain : bracketed + bits6
  const number = port === undefined ? undefined : Number(port)
  if (place !== undefined && (number === undefined || number <= 65_535)) {
    const [address = '', prefix] = place.split('/')
    const bits = isIP(address) === 6 ? 128 : 32
    if (isIP(address) > 0 && (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))) return { networks: blockList([`${address}/${prefix ?? bits}`]), port: number }
    if (prefix === undefined && /^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?$/i.test(place) && !/^[\d.]+$/.test(place)) return { name: place.toLowerCase(), port: number }
  }
  throw new PlatformError('CONFIG_INVALID', `connect_allow: ${quote(text)} is no host, address or network`, { remedy: 'Write it as db.internal, 10.1.2.3, 10.0.0.0/8, [fd00::]/8 or localhost:5000, separated by commas.' })
}

function blockList (networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address, bits] = network.split('/') as [string, string]
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}
