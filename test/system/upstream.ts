// Sources and destinations outside the platform, with a ledger of what they were asked: an upstream may forget what was
// acknowledged, as a replication slot or a queue does, and then cannot give it again.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Rows of one answer. */
const ROWS = 20
const paceMs = 15
const ROWS_MAX = 1_000_000

/** One source of rows numbered from 0 on, and what was done with it. */
export class Upstream {
  /** It gives rows below this number. */
  total = ROWS_MAX
  /** The next so many reads from `failAt` on are refused. */
  failures = 0
  failAt = ROWS_MAX
  refused = 0
  /** Rows below it were acknowledged; one that prunes has forgotten them. */
  acked = 0
  /** Where each reading began. */
  readonly opened: number[] = []
  /** What must never happen. */
  readonly faults: string[] = []
  readonly #prunes: boolean

  constructor ({ prunes }: { readonly prunes: boolean }) {
    this.#prunes = prunes
  }

  open (position: number): void {
    this.opened.push(position)
  }

  /** Numbers of the next rows; undefined: not now. */
  read (position: number): number[] | undefined {
    if (position >= this.failAt && this.failures > 0) {
      this.failures--
      this.refused++
      return undefined
    }
    if (this.#prunes && position < this.acked) this.faults.push(`rows from ${position} on are asked for, and were acknowledged up to ${this.acked}`)
    const to = Math.min(this.total, position + ROWS)
    return Array.from({ length: Math.max(0, to - position) }, (_, i) => position + i)
  }

  ack (position: number): void {
    if (position <= this.acked) this.faults.push(`${position} is acknowledged after ${this.acked}`)
    this.acked = Math.max(this.acked, position)
  }
}

/** A destination, which takes rows by HTTP. */
export class Downstream {
  readonly rows: number[] = []
  /** What it answers with, and after how long. */
  status = 200
  delayMs = 0
  posts = 0
}

/** The input that reads an upstream, as a plugin of a project. */
export const upstreamPlugin = `
import { fromRows } from '../../../runtime/batch.ts'
const ask = async (url, options) => {
  const answer = await fetch(url, options)
  if (!answer.ok) throw new Error('The upstream says ' + answer.status)
  return answer.json()
}
export default {
  kind: 'input', description: 'Reads an upstream', options: { url: { type: 'string', description: 'Its address' } },
  async * read ({ url }, { topic, checkpoint, signal }) {
    let position = checkpoint ?? 0
    await ask(url + '/open/' + position)
    while (!signal.aborted) {
      const rows = await ask(url + '/read/' + position)
      if (rows.length === 0) continue
      position += rows.length
      yield { batch: fromRows(topic, rows), checkpoint: position }
      // Without the signal: what is durable is acknowledged, also when it stops.
      await ask(url + '/ack/' + position)
    }
  }
}
`

export interface World {
  readonly server: Server
  readonly url: string
}

/** Serves /<source>/open|read|ack/<position> and takes posts on /<destination>. `rowOf` makes the row of a number. */
export async function serve (sources: Readonly<Record<string, Upstream>>, destinations: Readonly<Record<string, Downstream>>, rowOf: (source: string, n: number) => object): Promise<World> {
  async function answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, name = '', verb = '', position = ''] = (request.url ?? '').split('/')
    const destination = destinations[name]
    const source = sources[name]
    if (destination !== undefined) return take(destination, request, response)
    if (source === undefined) return send(response, 404)
    if (verb === 'open') source.open(Number(position))
    if (verb === 'ack') source.ack(Number(position))
    if (verb !== 'read') return send(response, 200)
    await sleep(paceMs)
    const rows = source.read(Number(position))
    send(response, rows === undefined ? 503 : 200, rows?.map(n => rowOf(name, n)))
  }
  const server = createServer((request, response) => { void answer(request, response) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function take (destination: Downstream, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = []
  // A sender that is killed in the middle has sent nothing.
  try {
    for await (const part of request) parts.push(part as Buffer)
  } catch {
    return
  }
  destination.posts++
  await sleep(destination.delayMs)
  if (destination.status === 200) destination.rows.push(...(JSON.parse(String(Buffer.concat(parts))) as Array<{ n: number }>).map(({ n }) => n))
  send(response, destination.status)
}

function send (response: ServerResponse, status: number, body: unknown = {}): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
