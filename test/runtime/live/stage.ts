// A platform with the embedded database, in this process, on a real port: rows are put into its topic by hand.

import { openEndpoint, token } from '../control/endpoint.ts'
import { events } from './events.ts'
import { fromRows } from '../../../runtime/batch.ts'
import type { Row } from '../../../runtime/batch.ts'
import type { Producer } from '../../../runtime/broker/broker.ts'
import type { Endpoint } from '../control/endpoint.ts'
import type { ServerEvent } from './events.ts'
import type { Test } from 'tap'

export const ticksSchema = `
description: Ticks of a test
key: [symbol]
event_time: time
partitions: 2
fields:
  symbol: { type: string, required: true, low_cardinality: true, description: Instrument }
  time: { type: timestamp(ms), required: true, description: When, cast: { unit: ms } }
  price: { type: 'decimal(18, 8)', required: true, description: Price }
  size: { type: int64, description: Shares }
  note: { type: string, description: Anything }
`
export const ticksPipeline = `
topic: ticks
transforms:
  - mapping: ticks
outputs:
  - streaming-database: {}
    flush: { rows: 1000, ms: 50 }
`

export interface Stage extends Endpoint {
  readonly url: string
  /** Into the topic `ticks`; a price that is no number is refused by the mapping. */
  send (rows: readonly Row[]): Promise<void>
  /** An analyst with those grants, and a token of theirs. */
  person (name: string, grants: readonly object[]): Promise<{ readonly headers: Record<string, string>, readonly token: string }>
  /** Events of a live stream; `more` are headers. */
  listen (path: string, more?: Readonly<Record<string, string>>): Promise<Listening>
}

export interface Listening {
  /** All events so far. */
  readonly events: ServerEvent[]
  /** All rows so far. */
  rows (): Row[]
  /** The id of the last event that had one. */
  id (): string
  /** Resolves when the stream has ended. */
  readonly ended: Promise<void>
  stop (): void
}

export async function openStage (t: Test, files: Readonly<Record<string, string>> = {}, env: Record<string, string> = {}): Promise<Stage> {
  const endpoint = await openEndpoint(t, { 'schemas/ticks.yaml': ticksSchema, 'pipelines/ticks.yaml': ticksPipeline, ...files }, { env: { TWOLANE_CLICKHOUSE: 'embedded', ...env } })
  const url = await endpoint.app.listen({ host: '127.0.0.1', port: 0 })
  const topic = endpoint.platform.supervisor.schemas.get('ticks')
  if (topic === undefined) throw new Error('The schema was not read')
  let producer: Producer | undefined
  return {
    ...endpoint,
    url,
    async send (rows) {
      producer ??= await endpoint.platform.broker.producer(topic, 'stage')
      await producer.append([fromRows(topic, rows)])
    },
    async person (name, grants) {
      const made = async (url: string, payload: object): Promise<Record<string, string>> => {
        const answer = await endpoint.ask('POST', url, { payload })
        if (answer.statusCode !== 201) throw new Error(answer.body)
        return answer.json()
      }
      await made('/v1/users', { user: name, roles: [], password: 'four words that do' })
      const given = await endpoint.ask('PATCH', `/v1/users/${name}`, { payload: { grants } })
      if (given.statusCode !== 200) throw new Error(given.body)
      // A role of its own, without the grants of the analyst's.
      const role = await endpoint.ask('PUT', `/v1/roles/${name}`, { payload: { title: name, scopes: ['data:read', 'queries:write'], grants: [] } })
      if (role.statusCode >= 300) throw new Error(role.body)
      const changed = await endpoint.ask('PATCH', `/v1/users/${name}`, { payload: { roles: [name] } })
      if (changed.statusCode !== 200) throw new Error(changed.body)
      const { id = '', secret = '' } = await made('/v1/tokens', { title: name, user: name, scopes: ['data:read', 'queries:write'] })
      return { headers: { authorization: `Bearer ${secret}` }, token: id }
    },
    async listen (path, more = {}) {
      const stop = new AbortController()
      t.teardown(() => stop.abort())
      const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}`, ...more }, signal: stop.signal })
      if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`)
      const found: ServerEvent[] = []
      const read = async (): Promise<void> => {
        if (answer.body !== null) for await (const event of events(answer.body)) found.push(event)
      }
      return {
        events: found,
        rows: () => found.filter(({ event }) => event === 'row').flatMap(({ data }) => data as Row[]),
        id: () => found.findLast(({ id }) => id !== undefined)?.id ?? '',
        ended: read().catch(() => {}),
        stop: () => stop.abort()
      }
    }
  }
}
