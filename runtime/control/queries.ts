// Saved queries: kept, changed, and asked under an address of their own.

import { formats } from '../data/spec.ts'
import { SavedQueries } from '../queries/saved.ts'
import { anyProperties, checkSpec, paramsOf, wishOf } from '../queries/spec.ts'
import { kindNames } from '../data/kinds.ts'
import { querySchema, rowsResponse } from './data-form.ts'
import { principalOf } from './guard.ts'
import { askerOf, sendRows } from './rows.ts'
import type { FastifyInstance } from 'fastify'
import type { Format } from '../data/spec.ts'
import type { Platform } from '../platform.ts'
import type { SavedQuery } from '../queries/saved.ts'
import type { QuerySpec } from '../queries/spec.ts'

interface BySlug { readonly Params: { readonly slug: string } }
interface Body { readonly title?: string, readonly spec: QuerySpec, readonly shared?: boolean }

const slug = { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,63}$', description: 'Part of its address: small letters, digits, hyphens' }
const bySlug = { type: 'object', additionalProperties: false, required: ['slug'], properties: { slug } }
const spec = {
  type: 'object',
  additionalProperties: true,
  required: ['kind', 'dataset'],
  properties: { kind: { type: 'string', enum: [...kindNames] }, dataset: { type: 'string', minLength: 1, maxLength: 200 } },
  description: 'What is asked: kind, dataset, and the parameters of /v1/data, /v1/bars, /v1/latest or /v1/join/asof under their names'
}
const bodyProperties = { title: { type: 'string', maxLength: 200 }, spec, shared: { type: 'boolean', description: 'Whether others see and use it; they do so with their own rights' } }
const query = {
  type: 'object',
  properties: { slug: { type: 'string' }, title: { type: 'string' }, spec, owner: { type: 'string' }, shared: { type: 'boolean' }, changed_at: { type: 'string', format: 'date-time' } }
}

export function queryStoreRoutes (app: FastifyInstance, platform: Platform): void {
  const saved = new SavedQueries(platform.store.database)
  // One that is not shared is nobody's business.
  platform.watch.queriesOf = datasets => [...new Set(datasets.flatMap(dataset => saved.about(dataset)).filter(({ shared }) => shared).map(({ slug }) => slug))].sort()

  app.get('/v1/queries', {
    config: { access: 'data:read' },
    schema: { summary: 'Saved queries: own ones and those that others share', tags: ['queries'], response: { 200: { type: 'object', properties: { queries: { type: 'array', items: query } } } } }
  }, async request => ({ queries: saved.list(principalOf(request).user).map(describeQuery) }))

  app.get<BySlug>('/v1/queries/:slug', {
    config: { access: 'data:read' },
    schema: { summary: 'One saved query', tags: ['queries'], params: bySlug, response: { 200: query } }
  }, async request => describeQuery(saved.get(request.params.slug, principalOf(request).user)))

  app.post<{ Body: Body & { slug: string } }>('/v1/queries', {
    config: { access: 'queries:write', action: 'query.add' },
    schema: {
      summary: 'Saves a query, which is checked before',
      tags: ['queries'],
      consumes: ['application/json'],
      body: { type: 'object', additionalProperties: false, required: ['slug', 'spec'], properties: { slug, ...bodyProperties } },
      response: { 201: query }
    }
  }, async (request, reply) => {
    const { slug, title = '', spec, shared = false } = request.body
    await checkSpec(platform, askerOf(request, reply), spec)
    return reply.code(201).header('location', `/v1/queries/${slug}`).send(describeQuery(saved.add({ slug, title, spec, shared, owner: principalOf(request).user })))
  })

  app.put<BySlug & { Body: Body }>('/v1/queries/:slug', {
    config: { access: 'queries:write', action: 'query.change' },
    schema: {
      summary: 'Changes a saved query of your own',
      tags: ['queries'],
      params: bySlug,
      consumes: ['application/json'],
      body: { type: 'object', additionalProperties: false, required: ['spec'], properties: bodyProperties },
      response: { 200: query }
    }
  }, async (request, reply) => {
    const { title = '', spec, shared = false } = request.body
    await checkSpec(platform, askerOf(request, reply), spec)
    return describeQuery(saved.change(request.params.slug, principalOf(request).user, { title, spec, shared }))
  })

  app.delete<BySlug>('/v1/queries/:slug', {
    config: { access: 'queries:write', action: 'query.remove' },
    schema: { summary: 'Deletes a saved query of your own', tags: ['queries'], params: bySlug, response: { 204: { type: 'null', description: 'It is gone' } } }
  }, async (request, reply) => {
    saved.remove(request.params.slug, principalOf(request).user)
    return reply.code(204).send()
  })

  app.get<{ Params: { slug: string, format: Format }, Querystring: Record<string, unknown> }>('/v1/q/:slug.:format', {
    config: { access: 'data:read' },
    schema: {
      summary: 'Rows of a saved query, with the rights of who asks',
      description: 'Parameters given here replace those that were saved; kind and dataset stay.',
      tags: ['queries'],
      params: { type: 'object', required: ['slug', 'format'], properties: { slug, format: { type: 'string', enum: [...formats] } } },
      querystring: querySchema(anyProperties),
      response: rowsResponse
    }
  }, async (request, reply) => {
    const { slug, format } = request.params
    const { spec } = saved.get(slug, principalOf(request).user)
    const { left: _left, right: _right, ...overrides } = request.query
    const params = paramsOf({ ...withoutRange(spec, overrides), ...overrides } as QuerySpec, { fromText: true })
    return sendRows(platform, request, reply, { name: slug, ...wishOf(platform, askerOf(request, reply), spec, params), params, format })
  })
}

/** A range that is given replaces the whole one that was saved: `last` and `start` exclude each other. */
function withoutRange (spec: QuerySpec, overrides: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (overrides['last'] === undefined && overrides['start'] === undefined && overrides['end'] === undefined) return spec
  const { last: _last, start: _start, end: _end, ...rest } = spec
  return overrides['last'] === undefined && spec['last'] === undefined ? spec : rest
}

function describeQuery ({ changedAt, ...query }: SavedQuery): object {
  return { ...query, changed_at: new Date(changedAt).toISOString() }
}
