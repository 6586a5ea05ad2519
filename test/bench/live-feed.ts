// A feed of quotes at a steady rate, and how long each takes until it can be queried. A quote is stamped when the feed
// sends it; it is queryable when a SELECT has returned it.

import { WebSocketServer } from 'ws'
import { quote } from './quotes.ts'
import type { AddressInfo } from 'node:net'
import type { RunningPlatform } from '../system/project.ts'

const TICK_MS = 10
const POLL_MS = 20
const WARM_UP_MS = 5000

export interface LiveFeed {
  /** Of the WebSocket. */
  readonly url: string
  /** Nothing is sent before. */
  begin (): void
  close (): void
}

export async function startFeed (rowsPerSecond: number): Promise<LiveFeed> {
  const feed = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  const port = await new Promise<number>(resolve => feed.on('listening', () => resolve((feed.address() as AddressInfo).port)))
  let sending = false
  let sent = 0
  feed.on('connection', socket => {
    let last = performance.now()
    const timer = setInterval(() => {
      const now = performance.now()
      const rows = Math.round((now - last) * rowsPerSecond / 1000)
      last = now
      if (!sending || rows === 0) return
      const time = String(Date.now())
      socket.send(JSON.stringify(Array.from({ length: rows }, () => ({ ...quote(sent++), event_time: time }))))
    }, TICK_MS)
    socket.on('close', () => clearInterval(timer))
  })
  return {
    url: `ws://127.0.0.1:${port}`,
    begin () { sending = true },
    close () {
      feed.close()
      for (const socket of feed.clients) socket.terminate()
    }
  }
}

export interface Delays {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly rows: number
}

/** Milliseconds from event to queryable, for some seconds after a warm-up. `onBegin` is called when that is over. */
export async function measureDelays (platform: RunningPlatform, seconds: number, onBegin: () => void = () => {}): Promise<Delays> {
  const delays: number[] = []
  const measureFrom = performance.now() + WARM_UP_MS
  const end = measureFrom + seconds * 1000
  let [offset, began] = [0, false]
  while (performance.now() < end) {
    const found = await platform.query<{ t: string, n: string, next: string }>(
      `SELECT toUnixTimestamp64Milli(event_time) AS t, count() AS n, max(_offset) + 1 AS next FROM streaming.quotes WHERE _offset >= ${offset} GROUP BY t`)
    const now = Date.now()
    const counts = performance.now() > measureFrom
    if (counts && !began) onBegin()
    began = counts
    for (const { t, n, next } of found) {
      offset = Math.max(offset, Number(next))
      if (counts) for (let i = 0; i < Number(n); i++) delays.push(now - Number(t))
    }
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
  delays.sort((a, b) => a - b)
  const at = (share: number): number => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] as number
  return { p50: at(0.5), p99: at(0.99), max: at(1), rows: delays.length }
}
