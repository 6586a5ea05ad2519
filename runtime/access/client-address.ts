import { isIP } from 'node:net'

/**
 * What counts as one client where tries are counted: an IPv4 address, also one that is written as IPv6, or the /64 of an
 * IPv6 address, of which a customer of a provider has all 2^64.
 */
export function clientOf (address: string): string {
  if (isIP(address) !== 6) return address
  const plain = URL.parse(`http://[${address.replace(/%.*$/, '')}]`)?.hostname.slice(1, -1) ?? address
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(plain) ?? []
  if (high !== undefined && low !== undefined) {
    const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
    return [a >> 8, a & 255, b >> 8, b & 255].join('.')
  }
  const [left = [], right = []] = plain.split('::').map(part => part === '' ? [] : part.split(':'))
  return `${[...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right].slice(0, 4).join(':')}::/64`
}
