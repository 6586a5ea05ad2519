// A real platform process fed by a WebSocket server at a steady rate: start-up, memory at idle, event to queryable,
// reload. An event is stamped when the feed sends it; it is queryable when a SELECT has returned it.
//   node test/bench/latency.ts [rows a second] [seconds]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'
import { makeProject, startPlatform } from '../system/project.ts'
import { residentMiB } from './measure.ts'
import { quote, quotesSchema } from './quotes.ts'
import type { AddressInfo } from 'node:net'
import type { RunningPlatform } from '../system/project.ts'

const rate = Number(process.argv[2] ?? 10_000)
const seconds = Number(process.argv[3] ?? 30)
const TICK_MS = 10
const POLL_MS = 20
const WARM_UP_MS = 5000

const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const feed = new WebSocketServer({ host: '127.0.0.1', port: 0 })
const port = await new Promise<number>(resolve => feed.on('listening', () => resolve((feed.address() as AddressInfo).port)))
let sending = false
let sent = 0

feed.on('connection', socket => {
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    const rows = Math.round((now - last) * rate / 1000)
    last = now
    if (!sending || rows === 0) return
    const time = String(Date.now())
    socket.send(JSON.stringify(Array.from({ length: rows }, () => ({ ...quote(sent++), event_time: time }))))
  }, TICK_MS)
  socket.on('close', () => clearInterval(timer))
})

const pipeline = (flushMs: number): string => `
input:
  websocket: { url: 'ws://127.0.0.1:${port}' }
topic: quotes
transforms:
  - mapping: quotes
outputs:
  - streaming-database: {}
    flush: { ms: ${flushMs} }
  - lake: {}
`
const project = makeProject(folder, { 'schemas/quotes.yaml': quotesSchema, 'pipelines/quotes.yaml': pipeline(250) })

try {
  const cold = await timed('start, empty data folder')
  await cold.stop()
  const platform = await timed('start, warm')
  await pause(3000)
  console.log(`memory at idle: platform ${residentMiB(platform.process.pid as number).toFixed(0)} MiB, engine ${engineMiB(platform).toFixed(0)} MiB`)
  await latency(platform)
  for (const flushMs of [200, 250]) {
    project.write('pipelines/quotes.yaml', pipeline(flushMs))
    const { body } = await platform.api<{ outcome: string, ms: number, changes: Array<{ ms: number }> }>('POST', '/v1/reload')
    console.log(`reload under load: ${body.outcome} in ${body.ms} ms, of which the pipeline stood still for at most ${body.changes[0]?.ms ?? 0} ms`)
    await pause(2000)
  }
  const stopping = performance.now()
  await platform.stop()
  console.log(`Ctrl-C under load: drained and stopped in ${(performance.now() - stopping).toFixed(0)} ms`)
} finally {
  feed.close()
  for (const socket of feed.clients) socket.terminate()
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

async function timed (what: string): Promise<RunningPlatform> {
  const began = performance.now()
  const platform = await startPlatform(project, { TWOLANE_LOG_LEVEL: 'info' })
  console.log(`${what}: ${(performance.now() - began).toFixed(0)} ms until every pipeline runs`)
  return platform
}

async function latency (platform: RunningPlatform): Promise<void> {
  const delays: number[] = []
  let offset = 0
  sending = true
  const end = performance.now() + WARM_UP_MS + seconds * 1000
  const measureFrom = performance.now() + WARM_UP_MS
  while (performance.now() < end) {
    const found = await platform.query<{ t: string, n: string, next: string }>(
      `SELECT toUnixTimestamp64Milli(event_time) AS t, count() AS n, max(_offset) + 1 AS next FROM streaming.quotes WHERE _offset >= ${offset} GROUP BY t`)
    const now = Date.now()
    for (const { t, n, next } of found) {
      offset = Math.max(offset, Number(next))
      if (performance.now() > measureFrom) for (let i = 0; i < Number(n); i++) delays.push(now - Number(t))
    }
    await pause(POLL_MS)
  }
  sending = true
  delays.sort((a, b) => a - b)
  const at = (share: number): number => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] as number
  console.log(`event to queryable at ${rate} rows/s for ${seconds} s: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms (${delays.length} rows, polled each ${POLL_MS} ms)`)
}

function engineMiB (platform: RunningPlatform): number {
  const pid = /"pid":(\d+)/.exec(platform.output())?.[1]
  return pid === undefined ? NaN : residentMiB(Number(pid))
}

function pause (ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
