// Rows of a dataset, and what is made of them: GET with parameters, or POST with the same names in a body, where thousands
// of symbols fit.

import { kinds } from '../data/kinds.ts'
import { closeRelay } from '../data/relay.ts'
import { bodySchema, datasetParameter, formatParameter, querySchema, rowsResponse } from './data-form.ts'
import { kindProperties } from './data-kinds.ts'
import { askerOf, sendRows } from './rows.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { KindName } from '../data/kinds.ts'
import type { Platform } from '../platform.ts'
import type { Format, Params } from '../data/spec.ts'

const words: Readonly<Record<KindName, { readonly summary: string, readonly description: string }>> = {
  data: {
    summary: 'Rows of a dataset',
    description: 'From start to before end, in the order of time, key and position, from the warehouse and the streaming database alike. JSON comes in pages, which keep to one boundary between the two; the other formats are one stream.'
  },
  bars: {
    summary: 'Bars of any length',
    description: 'Open, high, low, close, volume, vwap and count of each interval. An interval without anything has no bar, unless fill says otherwise. Datasets of bars become longer bars; of quotes without trades, the middle of bid and ask is taken.'
  },
  latest: {
    summary: 'The last row of each symbol',
    description: 'Symbols that are not named, and have no row in the streaming database, are looked for 31 days back; named ones as far as there are days.'
  },
  join: {
    summary: 'Each row of one dataset with the row of another one that was valid then',
    description: 'on_time=event takes the other row by its event time, and warns of rows that were not known here by then; on_time=ingest takes what was known. A row that is older than the tolerance, a day by default, does not count.'
  }
}

export function dataRoutes (app: FastifyInstance, platform: Platform): void {
  app.addHook('onClose', () => closeRelay(platform))
  for (const kind of ['data', 'bars', 'latest'] as const) {
    kindRoutes(app, platform, kind, `/v1/${kind}/:dataset.:format`, { type: 'object', required: ['dataset', 'format'], properties: { dataset: datasetParameter, format: formatParameter } })
  }
  kindRoutes(app, platform, 'join', '/v1/join/asof.:format', { type: 'object', required: ['format'], properties: { format: formatParameter } })
}

/** GET and POST of one kind of question. */
function kindRoutes (app: FastifyInstance, platform: Platform, kind: KindName, url: string, params: object): void {
  const { properties, required } = kindProperties[kind]
  const schema = { ...words[kind], tags: ['data'], params, response: rowsResponse }
  const answer = (request: FastifyRequest, reply: FastifyReply, given: Params): Promise<FastifyReply> => {
    const { dataset, format } = request.params as { readonly dataset?: string, readonly format: Format }
    const asker = askerOf(request, reply)
    const target = dataset ?? String((given as { readonly left?: string }).left)
    return sendRows(platform, request, reply, { name: target, ...kinds[kind](platform, asker, target, given), params: given, format })
  }
  app.get(url, { config: { access: 'data:read' }, schema: { ...schema, querystring: querySchema(properties, required) } }, (request, reply) => answer(request, reply, request.query as Params))
  app.post(url, { config: { access: 'data:read', asks: true }, schema: { ...schema, consumes: ['application/json'], body: bodySchema(properties, required) } }, (request, reply) => answer(request, reply, request.body as Params))
}
