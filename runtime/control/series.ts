import { readSeries, readSeriesNames, statistics } from '../observe/series.ts'
import { spanOf, spanParameters } from './moment.ts'
import type { FastifyInstance } from 'fastify'
import type { Statistic } from '../observe/series.ts'
import type { Platform } from '../platform.ts'

const HOUR_MS = 3_600_000
const labels = { type: 'object', properties: { part: { type: 'string', description: 'Pipeline; empty: the platform itself' }, step: { type: 'string' } } }
const stat = { type: 'string', enum: [...statistics] }
const name = { type: 'string', pattern: '^[a-zA-Z_][a-zA-Z0-9_]{0,199}$', description: 'As in /metrics, such as twolane_rows_total' }

interface Asked { readonly name: string, readonly part?: string, readonly step?: string, readonly from?: string, readonly to?: string, readonly last?: string, readonly points: number, readonly stat?: Statistic }

export function seriesRoutes (app: FastifyInstance, platform: Platform): void {
  app.get<{ Querystring: Asked }>('/v1/series', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'A metric over time, for every part that has it',
      description: 'Of a counter the increase a second, of a gauge the greatest value, of a histogram the 99th percentile, unless stat says otherwise. A slot in which nothing was measured has no point.',
      tags: ['metrics'],
      querystring: {
        type: 'object',
        additionalProperties: false,
        required: ['name'],
        properties: { name, part: { type: 'string', maxLength: 100, description: 'A pipeline; platform: the platform itself' }, step: { type: 'string', maxLength: 200 }, ...spanParameters, points: { type: 'integer', minimum: 1, maximum: 2000, default: 300, description: 'At most' }, stat }
      },
      response: {
        200: {
          type: 'object',
          properties: {
            series: { type: 'array', items: { type: 'object', properties: { labels, points: { type: 'array', items: { type: 'array', items: { type: 'number' }, minItems: 2, maxItems: 2 }, description: 'Begin of the slot in ms since 1970, and its value' } } } },
            kind: { type: ['string', 'null'], enum: ['counter', 'gauge', 'histogram', null] },
            stat: { type: ['string', 'null'], enum: [...statistics, null] },
            unit: { type: 'string' },
            slot_ms: { type: 'integer', description: 'Length of a slot' },
            truncated: { type: 'boolean', description: 'There are more series than one answer holds: name a part' }
          }
        }
      }
    }
  }, async ({ query: { from, to, last, ...query } }) => readSeries(platform.observe.reader, { ...query, ...spanOf({ from, to, last }, HOUR_MS) }))

  app.get<{ Querystring: { from?: string, to?: string, last?: string } }>('/v1/series/names', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'Names of the metrics that were measured, a day back unless a time is given',
      tags: ['metrics'],
      querystring: { type: 'object', additionalProperties: false, properties: spanParameters },
      response: {
        200: {
          type: 'object',
          properties: {
            names: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, kind: { type: 'string' }, unit: { type: 'string' }, stats: { type: 'array', items: stat, description: 'What may be asked for; the first one is the default' }, parts: { type: 'array', items: { type: 'string' } } } } }
          }
        }
      }
    }
  }, async ({ query }) => ({ names: await readSeriesNames(platform.observe.reader, spanOf(query, 24 * HOUR_MS)) }))
}
