// Which hosts the options of a step name, told from the text as it stands in the file.

import type { Json } from '../plugin.ts'

export interface NamedHost {
  /** Without brackets, lower case; with variables in it as it stands in the file. */
  readonly host: string
  /** Empty: that of the protocol. */
  readonly port: string
  /** Of an address with one; else empty. */
  readonly protocol: string
}

const address = /^\s*([a-z][a-z0-9+.-]*):\/\/(?:[^@/?#]*@)?([^/?#]*)/i
const hostOption = /^(?:host|hosts|hostname|server|endpoint|brokers?|gateway|proxy)$/
const valuesMax = 10_000

/** All of them, in the order of the options. */
export function hostsOf (options: Json): NamedHost[] {
  const found: NamedHost[] = []
  const waiting: Array<readonly [string, Json]> = [['', options]]
  for (let seen = 0; waiting.length > 0 && seen < valuesMax; seen++) {
    const [name, value] = waiting.shift() as readonly [string, Json]
    if (typeof value === 'string') found.push(...hostsIn(name, value))
    else if (Array.isArray(value)) for (const item of value) waiting.push([name, item as Json])
    else if (typeof value === 'object' && value !== null) waiting.push(...Object.entries(value))
  }
  return found
}

/** The same text for options that lead to the same hosts. */
export function placeOf (options: Json): string {
  return JSON.stringify(hostsOf(options).map(({ protocol, host, port }) => `${protocol}//${host}:${port}`).sort())
}

function hostsIn (name: string, value: string): NamedHost[] {
  const [, protocol, authority] = address.exec(value) ?? []
  // A bucket is no host, and a file has none.
  if (protocol !== undefined && /^(?:s3|file|sqlite)$/i.test(protocol)) return []
  if (protocol !== undefined) return (authority as string).split(',').filter(part => part !== '').map(part => split(protocol.toLowerCase(), part))
  // A variable may hold a whole address: where it leads, nobody knows who sees the text only.
  if (/^(?:url|address)$/.test(name) && value.includes('${')) return [{ protocol: '', host: value, port: '' }]
  if (!hostOption.test(name) || /[\s]/.test(value) || value === '' || value === 'simulator') return []
  return value.split(',').map(part => split('', part))
}

function split (protocol: string, part: string): NamedHost {
  const [, host = '', port = ''] = part.includes('${') ? [part, part] : /^(\[[^\]]*\]|[^:]*(?::[^:]*:.*)?)(?::(\d+))?$/.exec(part) ?? [part, part]
  return { protocol, host: canonical(host, protocol), port }
}

/** `0x7f.1` and its like as the address that a connection would go to. */
function canonical (host: string, protocol: string): string {
  if (host.includes('${')) return host
  const bare = /^https?$|^wss?$/.test(protocol) || protocol === '' || /^[\d.xX]+$/.test(host) ? URL.parse(`http://${host}/`)?.hostname ?? host : host
  return bare.replace(/^\[(.*)\]$/, '$1').toLowerCase()
}
