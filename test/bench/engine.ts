// The embedded engine's hot path: INSERTs of one Arrow stream each over HTTP, and what they cost both processes. Linux only.

import { tableToIPC, Table, vectorFromArray, makeData, Vector, Utf8, Float64, Int64, TimestampNanosecond } from 'apache-arrow'
import { mkdtemp, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { line, median, stopwatch } from './measure.ts'

const folder = await mkdtemp(join(tmpdir(), 'twolane-bench-'))
const engine = await startEmbedded({ folder, log: { info () {}, warn () {}, error: console.error } })
const { origin, username, password } = new URL(engine.url)
const agent = new Agent({ keepAlive: true })

async function post (query: string, body: Uint8Array | string): Promise<void> {
  const path = `${origin}/?query=${encodeURIComponent(query)}`
  const message = request(path, { method: 'POST', agent, auth: `${username}:${decodeURIComponent(password)}` })
  message.end(body)
  const [response] = await once(message, 'response') as [IncomingMessage]
  const text = Buffer.concat(await response.toArray() as Buffer[]).toString()
  if (response.statusCode !== 200) throw new Error(text)
}

function quotes (rows: number): Uint8Array {
  const numbers = (step: number) => new Vector([makeData({ type: new Float64(), length: rows, data: Float64Array.from({ length: rows }, (_, i) => 100 + (i % 997) * step) })])
  const from = (first: bigint) => BigInt64Array.from({ length: rows }, (_, i) => first + BigInt(i))
  const symbols = ['AAPL', 'MSFT', '8314', 'NVDA']
  return tableToIPC(new Table({
    _offset: new Vector([makeData({ type: new Int64(), length: rows, data: from(0n) })]),
    event_time: new Vector([makeData({ type: new TimestampNanosecond(), length: rows, data: from(1_700_000_000_000_000_000n) })]),
    bid: numbers(0.01),
    ask: numbers(0.02),
    bid_size: numbers(1),
    ask_size: numbers(2),
    symbol: vectorFromArray(Array.from({ length: rows }, (_, i) => symbols[i % 4]), new Utf8()),
    exchange: vectorFromArray(Array.from({ length: rows }, () => 'NASDAQ'), new Utf8()),
    note: vectorFromArray(Array.from({ length: rows }, (_, i) => i % 10 === 0 ? `note ${i}` : ''), new Utf8())
  }), 'stream')
}

const columns = '_offset Int64, event_time DateTime64(9), bid Float64, ask Float64, bid_size Float64, ask_size Float64, symbol LowCardinality(String), exchange LowCardinality(String), note String, landed DateTime DEFAULT now()'

async function measure (rows: number, rounds: number, merges: boolean): Promise<void> {
  const body = quotes(rows)
  await post(`CREATE OR REPLACE TABLE quotes (${columns}) ENGINE = MergeTree ORDER BY (symbol, event_time)`, '')
  if (!merges) await post('SYSTEM STOP MERGES quotes', '')
  const times: number[] = []
  for (let i = 0; i < 3; i++) await post('INSERT INTO quotes FORMAT ArrowStream', body)
  const stop = stopwatch([engine.pid ?? 0])
  for (let i = 0; i < rounds; i++) {
    const start = performance.now()
    await post('INSERT INTO quotes FORMAT ArrowStream', body)
    times.push(performance.now() - start)
  }
  console.log(line(`${rows} rows a flush${merges ? ', merges too' : ''}, median ${median(times).toFixed(0)} ms`, rows * rounds, stop()))
}

try {
  for (const [rows, rounds] of [[1000, 200], [50_000, 40], [200_000, 15]] as const) {
    for (const merges of [false, true]) await measure(rows, rounds, merges)
  }
} finally {
  agent.destroy()
  await engine.close()
  await rm(folder, { recursive: true, force: true })
}
