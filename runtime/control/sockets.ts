// Connections of one address: nobody takes all of them. Those of this machine and of trusted_proxies are not counted, as a
// proxy in front brings everybody through the same address.

import { BlockList, isIP } from 'node:net'
import { clientOf } from '../access/client-address.ts'
import { isLoopback } from './guard.ts'
import type { Server } from 'node:net'

export interface SocketLimit {
  readonly perAddressMax: number
  readonly isCounted?: (address: string) => boolean
}

/** Whether connections from an address are those of one client. */
export function countedBut (proxies: readonly string[]): (address: string) => boolean {
  const known = new BlockList()
  for (const proxy of proxies) {
    const [address = '', bits] = proxy.split('/')
    const kind = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) known.addAddress(address, kind)
    else known.addSubnet(address, Number(bits), kind)
  }
  return address => !isLoopback(address) && !known.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

export function limitSockets (server: Server, { perAddressMax, isCounted = countedBut([]) }: SocketLimit): void {
  const open = new Map<string, number>()
  server.on('connection', socket => {
    const { remoteAddress } = socket
    if (remoteAddress === undefined || !isCounted(remoteAddress)) return
    const address = clientOf(remoteAddress)
    const count = (open.get(address) ?? 0) + 1
    if (count > perAddressMax) {
      socket.destroy()
      return
    }
    open.set(address, count)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left === 0) open.delete(address)
      else open.set(address, left)
    })
  })
}
