// Connections of one address: nobody takes all of them. Those of this machine are not counted, as a proxy in front brings
// everybody through the same address.

import { isLoopback } from './guard.ts'
import type { Server } from 'node:net'

export interface SocketLimit {
  readonly perAddressMax: number
  readonly isCounted?: (address: string) => boolean
}

export function limitSockets (server: Server, { perAddressMax, isCounted = address => !isLoopback(address) }: SocketLimit): void {
  const open = new Map<string, number>()
  server.on('connection', socket => {
    const address = socket.remoteAddress
    if (address === undefined || !isCounted(address)) return
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
