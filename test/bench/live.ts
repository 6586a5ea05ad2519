// Live fan-out: subscribers on one dataset at a steady rate, how long a row takes from the topic to a client, and what
// it costs. Rows are appended by a thread of the platform's own input; clients are in a process of their own.
//   node test/bench/live.ts [subscribers] [rows a second] [seconds]

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocketServer } from 'ws'
import { readConfig } from '../../runtime/config.ts'
import { clientLimits, makeApp } from '../../runtime/control/app.ts'
import { liveLimits } from '../../runtime/live/limits.ts'
import { openPlatform } from '../../runtime/platform.ts'
import { makeProject } from '../system/project.ts'
import { residentMiB } from './measure.ts'
import { quote, quotesSchema } from './quotes.ts'
import type { AddressInfo } from 'node:net'

const token = 'a-token-for-tests-only'
const TICK_MS = 10

/** The clients: each reads its stream as text, and looks for the time in the last row of each event. */
async function clients (url: string, paths: readonly string[]): Promise<void> {
  const delays: number[] = []
  let rows = 0
  let measuring = false
  let live = 0
  for (const path of paths) {
    get(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } }, answer => {
      if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode}`)
      let rest = ''
      answer.setEncoding('latin1').on('data', (piece: string) => {
        rest += piece
        const end = rest.lastIndexOf('\n\n')
        if (end < 0) return
        for (const event of rest.slice(0, end).split('\n\n')) {
          if (event.includes('"live":true') && event.includes('heartbeat')) live++
          if (!measuring || !event.includes('event: row')) continue
          rows += event.split('"event_time":').length - 1
          const at = /"event_time":"([^"]+)"/.exec(event.slice(event.lastIndexOf('"event_time":')))?.[1]
          if (at !== undefined) delays.push(Date.now() - Date.parse(at))
        }
        rest = rest.slice(end + 2)
      })
      answer.on('end', () => console.log('A stream has ended'))
    })
  }
  while (live < paths.length) await pause(50)
  process.send?.('live')
  process.on('message', message => {
    measuring = message === 'begin'
    if (message !== 'end') return
    delays.sort((a, b) => a - b)
    const quantile = (q: number): number => delays[Math.floor(delays.length * q)] ?? NaN
    process.send?.({ rows, p50: quantile(0.5), p99: quantile(0.99), cpu: process.cpuUsage() })
  })
}

async function measure (subscribers: number, rate: number, seconds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
  const feed = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(feed, 'listening')
  const pipeline = `
input:
  websocket: { url: 'ws://127.0.0.1:${(feed.address() as AddressInfo).port}' }
topic: quotes
transforms:
  - mapping: quotes
outputs:
  - streaming-database: {}
`
  const project = makeProject(join(folder, 'project'), { 'schemas/quotes.yaml': quotesSchema, 'pipelines/quotes.yaml': pipeline })
  const config = await readConfig({ root: project.folder, env: { TWOLANE_ADMIN_TOKEN: token, TWOLANE_LOG_LEVEL: 'silent' } })
  const platform = await openPlatform({ root: project.folder, config })
  const app = await makeApp(platform, { limits: { ...clientLimits, requestsPerSecondMax: 10_000, socketsPerAddressMax: 1000 }, live: { ...liveLimits, subscribersOfOneMax: 1000 } })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  let sent = 0
  const begin = performance.now()
  const sending = setInterval(() => {
    const due = Math.floor((performance.now() - begin) / 1000 * rate)
    const now = Date.now()
    for (const client of feed.clients) for (let i = sent; i < due; i++) client.send(JSON.stringify({ ...quote(i), event_time: now }))
    sent = due
  }, TICK_MS)
  try {
    for (const [what, path] of [['each one symbol of ten', (i: number) => `/v1/live/quotes?symbols=${['AAPL', 'MSFT', 'GOOG', 'AMZN', 'TSLA'][i % 5]}`], ['each the newest row of every symbol once a second', () => '/v1/live/quotes?conflate=1s'], ['each all rows, four columns', () => '/v1/live/quotes?fields=symbol,event_time,bid,ask']] as const) {
      const child = fork(import.meta.filename, ['clients', url, ...Array.from({ length: subscribers }, (_, i) => path(i))])
      await once(child, 'message')
      await pause(2000)
      const cpu = process.cpuUsage()
      child.send('begin')
      await pause(seconds * 1000)
      child.send('end')
      const [{ rows, p50, p99, cpu: theirs }] = await once(child, 'message') as [{ rows: number, p50: number, p99: number, cpu: NodeJS.CpuUsage }]
      const used = process.cpuUsage(cpu)
      console.log(`${subscribers} subscribers at ${rate} rows/s, ${what}: ${(rows / seconds).toFixed(0)} rows/s delivered, p50 ${p50} ms, p99 ${p99} ms, platform ${((used.user + used.system) / 1e4 / seconds).toFixed(0)} % of a core and ${residentMiB(process.pid).toFixed(0)} MiB with the feed, clients ${((theirs.user + theirs.system) / 1e6).toFixed(0)} CPU-seconds`)
      const gone = once(child, 'exit')
      child.kill()
      await gone
    }
  } finally {
    clearInterval(sending)
    await app.close()
    await platform.close()
    feed.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function pause (ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

if (process.argv[2] === 'clients') await clients(process.argv[3] ?? '', process.argv.slice(4))
else await measure(Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 10_000), Number(process.argv[4] ?? 10))
