// The catalogue: which datasets there are for who asks, what they promise, and how complete they are.

import { findDataset, grantedDatasets } from '../data/catalog.ts'
import { contractOf, fullContract, knownBounds } from '../data/contract.ts'
import { DAYS_MAX, daysOf } from '../data/days.ts'
import { estimate } from '../data/estimate.ts'
import { kindNames, kinds } from '../data/kinds.ts'
import { pinOf } from '../data/pin.ts'
import { parseRange } from '../data/spec.ts'
import { listSymbols } from '../data/symbols.ts'
import { datasetParameter, querySchema, rangeProperties } from './data-form.ts'
import { kindProperties } from './data-kinds.ts'
import { askerOf } from './rows.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'
import type { KindName } from '../data/kinds.ts'
import type { Params } from '../data/spec.ts'

const text = { type: 'string' }
const moment = { type: ['string', 'null'], description: 'ISO 8601, UTC' }
const column = { type: 'object', properties: { name: text, type: { ...text, description: 'In ClickHouse\'s words' }, unit: text, description: text } }
const contract = {
  dataset: text,
  title: text,
  owner: text,
  topic: text,
  key: { type: 'array', items: text },
  event_time: text,
  columns: { type: 'array', items: column },
  freshness: { type: 'object', properties: { last_event_at: moment, last_ingest_at: moment, seconds: { type: ['integer', 'null'], description: 'Since the newest row was ingested' }, state: { type: 'string', enum: ['fresh', 'stale', 'quiet'] } } },
  rows: { type: 'number' },
  boundary_day: { type: ['string', 'null'], description: 'The first day that is not handed over to the warehouse' },
  guarantee: text
}
const free = { type: 'object', additionalProperties: true }
const byDataset = { type: 'object', required: ['dataset'], properties: { dataset: datasetParameter } }
interface ByDataset { readonly Params: { readonly dataset: string } }

export function datasetRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/datasets', {
    config: { access: 'data:read' },
    schema: { summary: 'The datasets that you may read', tags: ['datasets'], response: { 200: { type: 'object', properties: { datasets: { type: 'array', items: { type: 'object', properties: contract } } } } } }
  }, async (request, reply) => {
    const asker = askerOf(request, reply)
    const datasets: object[] = []
    for (const { name } of grantedDatasets(platform, asker.principal)) datasets.push(await contractOf(platform, await findDataset(platform, asker.principal, name, asker.signal), asker))
    return { datasets }
  })

  app.get<ByDataset>('/v1/datasets/:dataset', {
    config: { access: 'data:read' },
    schema: { summary: 'One dataset: its contract, newest rows, lineage and quality rules', tags: ['datasets'], params: byDataset, response: { 200: { type: 'object', properties: { ...contract, sample: { type: 'array', items: free }, lineage: free, quality: free, examples: free } } } }
  }, async (request, reply) => {
    const asker = askerOf(request, reply)
    return fullContract(platform, await findDataset(platform, asker.principal, request.params.dataset, asker.signal), asker)
  })

  app.get<ByDataset>('/v1/datasets/:dataset/range', {
    config: { access: 'data:read' },
    schema: { summary: 'From when to when there are rows', tags: ['datasets'], params: byDataset, response: { 200: { type: 'object', properties: { start: moment, end: moment, boundary: moment, realtime_start: moment } } } }
  }, async (request, reply) => {
    const asker = askerOf(request, reply)
    return knownBounds(platform, await findDataset(platform, asker.principal, request.params.dataset, asker.signal), asker)
  })

  completeness(app, platform)
  estimates(app, platform)
}

function completeness (app: FastifyInstance, platform: Platform): void {
  const day = { type: 'object', properties: { day: text, condition: { type: 'string', enum: ['available', 'degraded', 'pending', 'missing'] }, rows: { type: 'number' }, lane: { type: 'string', enum: ['warehouse', 'streaming', 'both'] }, reason: text, last_modified_at: moment } }
  app.get<ByDataset & { Querystring: Params }>('/v1/datasets/:dataset/condition', {
    config: { access: 'data:read' },
    schema: { summary: `How complete each day is, ${DAYS_MAX} days at most`, tags: ['datasets'], params: byDataset, querystring: querySchema(rangeProperties), response: { 200: { type: 'object', properties: { days: { type: 'array', items: day } } } } }
  }, async (request, reply) => {
    const asker = askerOf(request, reply)
    const readable = await findDataset(platform, asker.principal, request.params.dataset, asker.signal)
    const range = parseRange(request.query)
    return { days: await daysOf(platform, readable, range, { pin: await pinOf(platform, readable.name, { range, signal: asker.signal }), ...asker }) }
  })

  app.get<ByDataset & { Querystring: { q?: string, limit: number } }>('/v1/datasets/:dataset/symbols', {
    config: { access: 'data:read' },
    schema: {
      summary: 'Symbols with their rows, by name',
      tags: ['datasets'],
      params: byDataset,
      querystring: { type: 'object', additionalProperties: false, properties: { q: { type: 'string', maxLength: 200, description: 'A part of the name' }, limit: { type: 'integer', minimum: 1, maximum: 10_000, default: 1000 } } },
      response: { 200: { type: 'object', properties: { symbols: { type: 'array', items: { type: 'object', properties: { symbol: text, rows: { type: 'number' }, first_at: text, last_at: text } } } } } }
    }
  }, async (request, reply) => {
    const asker = askerOf(request, reply)
    const readable = await findDataset(platform, asker.principal, request.params.dataset, asker.signal)
    const { seq } = await pinOf(platform, readable.name, { range: { start: undefined, end: undefined }, signal: asker.signal })
    return { symbols: await listSymbols(platform, readable, { q: request.query.q, limit: request.query.limit, seq, ...asker }) }
  })
}

function estimates (app: FastifyInstance, platform: Platform): void {
  const lanes = { type: 'object', properties: { streaming: { type: 'number' }, warehouse: { type: 'number' } } }
  const answer = { type: 'object', properties: { rows: { type: 'number', description: 'At most' }, bytes: { type: 'number' }, seconds: { type: 'number' }, sources: lanes, will_page: { type: 'boolean' }, allowed: { type: 'boolean' }, reason: text } }
  for (const kind of kindNames.filter(name => name !== 'join')) route(kind, `/v1/estimate/${kind}/:dataset`, byDataset)
  route('join', '/v1/estimate/join', undefined)

  function route (kind: KindName, url: string, params: object | undefined): void {
    const { properties, required } = kindProperties[kind]
    app.get(url, {
      config: { access: 'data:read' },
      schema: { summary: `What an answer of /v1/${kind} would cost`, tags: ['datasets'], ...(params !== undefined && { params }), querystring: querySchema(properties, required), response: { 200: answer } }
    }, async (request, reply) => {
      const asker = askerOf(request, reply)
      const given = request.query as Params & { readonly left?: string }
      const { dataset = String(given.left) } = request.params as { readonly dataset?: string }
      const question = await kinds[kind](platform, asker, dataset, given).make(given, undefined)
      const { seq } = await pinOf(platform, dataset, { range: question.spec.range, signal: asker.signal })
      return estimate(platform, question, asker, seq)
    })
  }
}
