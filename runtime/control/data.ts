// Rows of a dataset, and what is made of them: GET with parameters, or POST with the same names in a body, where thousands
// of symbols fit.

import { findDataset } from '../data/catalog.ts'
import { dataQuestion } from '../data/compile.ts'
import { closeRelay } from '../data/relay.ts'
import { parseSpec } from '../data/spec.ts'
import { bodySchema, commonProperties, datasetParameter, formatParameter, querySchema, rowsResponse } from './data-form.ts'
import { askerOf, sendRows } from './rows.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Asker } from '../data/answer.ts'
import type { Question } from '../data/compile.ts'
import type { Platform } from '../platform.ts'
import type { Format, Params } from '../data/spec.ts'

/** A kind of question about one dataset. */
export interface Kind<P extends Params> {
  readonly path: string
  readonly summary: string
  readonly description: string
  readonly properties: Readonly<Record<string, object>>
  make (platform: Platform, asker: Asker, dataset: string, params: P): Promise<Question>
}

export const dataKind: Kind<Params> = {
  path: 'data',
  summary: 'Rows of a dataset',
  description: 'From start to before end, in the order of time, key and position, from the warehouse and the streaming database alike. JSON comes in pages, which keep to one boundary between the two; the other formats are one stream.',
  properties: commonProperties,
  async make (platform, { principal, signal }, name, params) {
    const readable = await findDataset(platform, principal, name, signal)
    return dataQuestion(readable, parseSpec(readable, params))
  }
}

export function dataRoutes (app: FastifyInstance, platform: Platform): void {
  app.addHook('onClose', () => closeRelay(platform))
  kindRoutes(app, platform, dataKind)
}

/** GET and POST of one kind of question. */
export function kindRoutes<P extends Params> (app: FastifyInstance, platform: Platform, kind: Kind<P>): void {
  const url = `/v1/${kind.path}/:dataset.:format`
  const schema = {
    summary: kind.summary,
    description: kind.description,
    tags: ['data'],
    params: { type: 'object', required: ['dataset', 'format'], properties: { dataset: datasetParameter, format: formatParameter } },
    response: rowsResponse
  }
  const answer = (request: FastifyRequest, reply: FastifyReply, params: P): Promise<FastifyReply> => {
    const { dataset, format } = request.params as { readonly dataset: string, readonly format: Format }
    const asker = askerOf(request, reply)
    return sendRows(platform, request, reply, {
      name: dataset,
      about: { kind: kind.path, dataset, grant: asker.principal.grant(dataset) },
      params,
      format,
      make: params => kind.make(platform, asker, dataset, params)
    })
  }
  app.get(url, { config: { access: 'data:read' }, schema: { ...schema, querystring: querySchema(kind.properties) } }, (request, reply) => answer(request, reply, request.query as P))
  app.post(url, { config: { access: 'data:read', asks: true }, schema: { ...schema, consumes: ['application/json'], body: bodySchema(kind.properties) } }, (request, reply) => answer(request, reply, request.body as P))
}
