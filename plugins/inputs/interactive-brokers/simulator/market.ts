import { setTimeout as wait } from 'node:timers/promises'
import { readFields } from './fields.ts'
import type { Gateway } from './gateway.ts'
import { answerHistory } from './history.ts'
import type { Answer, Call, Routes } from './routes.ts'

const snapshotConidsMax = 100
const snapshotFieldsMax = 50
const holder = 'snapshot'

/** Prices by request. */
export const marketRoutes: Routes = {
  'GET iserver/marketdata/snapshot': snapshot,
  'GET iserver/marketdata/history': history,
  'POST iserver/marketdata/unsubscribe': ({ gateway, body, endStreams }) => {
    const conid = Number(body['conid'])
    if (!gateway.lines.conids().includes(conid)) return { status: 404, body: { error: 'unknown', statusCode: 404 } }
    release(gateway, conid, endStreams)
    return { body: { success: true } }
  },
  'GET iserver/marketdata/unsubscribeall': ({ gateway, endStreams }) => {
    for (const conid of gateway.lines.conids()) release(gateway, conid, endStreams)
    return { body: { unsubscribed: true } }
  }
}

/** The first call of a conid only opens its line; values come with a later one. */
function snapshot ({ gateway, query }: Call): Answer {
  if (!gateway.session.accountsQueried) return { status: 500, body: { error: 'Please query /accounts first', statusCode: 500 } }
  const conids = (query.get('conids') ?? '').split(',').filter(Boolean)
  const fields = (query.get('fields') ?? '31,84,86').split(',').filter(Boolean)
  if (conids.length === 0 || conids.length > snapshotConidsMax || fields.length > snapshotFieldsMax) {
    return { status: 400, body: { error: `Bad Request: 1 to ${snapshotConidsMax} conids and at most ${snapshotFieldsMax} fields`, statusCode: 400 } }
  }
  return { body: conids.map(conidEx => snapshotRow(gateway, conidEx, fields)) }
}

function snapshotRow (gateway: Gateway, conidEx: string, fields: readonly string[]): object {
  const conid = Number.parseInt(conidEx)
  const bare = { conidEx, conid }
  const instrument = gateway.instruments.get(conid)
  if (instrument === undefined || !gateway.lines.take(conid, holder)) return bare
  const preflightAtMs = gateway.preflightsAtMs.get(conid)
  if (preflightAtMs === undefined) gateway.preflightsAtMs.set(conid, Date.now())
  if (preflightAtMs === undefined || Date.now() < preflightAtMs + gateway.settings.preflightMs) return bare
  const server = 'q1'
  const context = { instrument, quote: gateway.quote(instrument), rights: gateway.rights(conid), phase: gateway.phase(conid), server, via: 'snapshot' } as const
  return { _updated: gateway.session.now(), ...bare, server_id: server, ...readFields([...fields, '6119', '6509'], context) }
}

async function history ({ gateway, query }: Call): Promise<Answer> {
  if (gateway.historiesRunning >= gateway.settings.historiesMax) return { status: 429, body: { error: 'Too Many Requests', statusCode: 429 } }
  const conid = Number.parseInt(query.get('conid') ?? '')
  const fault = gateway.faults.active('history-error', conid)
  if (fault !== undefined) return { status: 500, body: { error: String(fault['error'] ?? 'No data.'), statusCode: 500 } }
  if (gateway.faults.active('history-blank', conid) !== undefined) return { body: '' }
  gateway.historiesRunning++
  try {
    await wait(gateway.settings.historyMs)
    const answer = answerHistory(gateway, query)
    return { status: 'error' in answer ? 500 : 200, body: answer }
  } finally {
    gateway.historiesRunning--
  }
}

function release (gateway: Gateway, conid: number, endStreams: (conid: number) => void): void {
  gateway.preflightsAtMs.delete(conid)
  gateway.lines.release(conid, holder)
  endStreams(conid)
}
