// The boundary between warehouse and streaming database: what each day's version holds, and which days wait.

import { connectClickHouse } from '../clickhouse/client.ts'
import { engineCode } from '../clickhouse/answers.ts'
import { PlatformError } from '../errors.ts'
import { readFlips } from '../warehouse/boundary.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import { waitingOf } from '../warehouse/task.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'
import type { Flip } from '../warehouse/boundary.ts'
import type { Waiting } from '../warehouse/handoff.ts'

const topicName = { type: 'string', pattern: '^[a-z0-9_][a-z0-9_.-]{0,127}$' }
const dayText = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\d$' }
/** Days of one answer, the newest ones. */
const DAYS_MAX = 1000
/** The database and the tables come with the first output that stores something. */
const notThere = new Set([60, 81])

const certificate = {
  type: 'object',
  properties: {
    seq: { type: 'integer', description: 'From this boundary on the version is the current one' },
    dataset: { type: 'string', description: 'Table of the streaming database and of the warehouse' },
    topic: { type: 'string' },
    day: { type: 'string' },
    version: { type: 'integer' },
    offsets: { type: 'object', additionalProperties: { type: 'integer' }, description: 'By partition: rows below are in the version' },
    rows: { type: 'integer' },
    hash: { type: 'string', description: 'Over all columns of all rows, whatever their order' },
    source_rows: { type: 'integer', description: 'The same of what it was made from' },
    source_hash: { type: 'string' },
    lake: { description: 'What the manifest of the lake said; null: no lake holds the topic' },
    quality: { description: 'Results of the quality rules' },
    revision: { type: 'string', description: 'Of the pipeline that stored the rows' },
    at: { type: 'integer', description: 'When readers saw it first, ms since 1970' },
    cleaned_at: { type: ['integer', 'null'], description: 'When nothing was there twice any more; null: not yet' }
  }
}
const waitingDay = {
  type: 'object',
  properties: { dataset: { type: 'string' }, topic: { type: 'string' }, day: { type: 'string' }, reason: { type: 'string' }, since: { type: 'integer', description: 'ms since 1970' } }
}
const days = {
  type: 'object',
  properties: {
    boundary: { type: 'integer', description: 'The newest one; 0: there was no handoff yet' },
    realtime_days: { type: 'integer', description: 'Days before today that the streaming database keeps' },
    days: { type: 'array', description: `The current version of each day, newest first, ${DAYS_MAX} at most`, items: certificate },
    waiting: { type: 'array', description: 'Days that are over and not handed over, with the reason', items: waitingDay }
  }
}

export function boundaryRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/boundary', {
    config: { access: 'platform:read' },
    schema: { summary: 'Which days the warehouse holds, and which wait', tags: ['boundary'], response: { 200: days } }
  }, async () => describeDays(platform, await flipsOf(platform, {}), waitingOf(platform.store).all))

  app.get<{ Params: { topic: string } }>('/v1/boundary/:topic', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'The same of one topic',
      tags: ['boundary'],
      params: { type: 'object', properties: { topic: topicName }, required: ['topic'] },
      response: { 200: days }
    }
  }, async ({ params: { topic } }) => {
    const flips = await flipsOf(platform, { topic })
    const waiting = waitingOf(platform.store).all.filter(day => day.topic === topic)
    if (flips.length === 0 && waiting.length === 0 && !isStored(platform, topic)) throw new PlatformError('NOT_FOUND', `No output streaming-database stores the topic ${topic}`)
    return describeDays(platform, flips, waiting)
  })

  app.get<{ Params: { topic: string, day: string } }>('/v1/boundary/:topic/:day', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'All versions of a day, the current one first',
      tags: ['boundary'],
      params: { type: 'object', properties: { topic: topicName, day: dayText }, required: ['topic', 'day'] },
      response: { 200: { type: 'object', properties: { topic: { type: 'string' }, day: { type: 'string' }, versions: { type: 'array', items: certificate }, waiting: { type: 'array', items: waitingDay } } } }
    }
  }, async ({ params: { topic, day } }) => {
    if (Number.isNaN(Date.parse(day))) throw new PlatformError('REQUEST_INVALID', `${day} is no day`, { remedy: 'Write it as 2024-01-02.' })
    const flips = await flipsOf(platform, { topic, day })
    const waiting = waitingOf(platform.store).all.filter(waits => waits.topic === topic && waits.day === day)
    if (flips.length === 0 && waiting.length === 0) throw new PlatformError('NOT_FOUND', `${day} of ${topic} was not handed over`, { remedy: 'GET /v1/boundary lists the days that were.' })
    return { topic, day, versions: flips.toReversed().map(describeFlip), waiting }
  })
}

async function flipsOf ({ warehouse }: Platform, which: { readonly topic?: string, readonly day?: string }): Promise<Flip[]> {
  if (warehouse === undefined) throw new PlatformError('ENGINE_UNAVAILABLE', 'There is no ClickHouse')
  const client = await connectClickHouse(warehouse)
  try {
    return await readFlips(client, which)
  } catch (error) {
    if (notThere.has(engineCode(error) ?? 0)) return []
    throw error
  } finally {
    await client.close()
  }
}

function isStored ({ supervisor }: Platform, topic: string): boolean {
  return [...datasetsOf(supervisor.files.pipelines.values(), supervisor.schemas).values()].some(({ feeds }) => feeds.has(topic))
}

function describeDays ({ config }: Platform, flips: readonly Flip[], waiting: readonly Waiting[]): object {
  const current = new Map(flips.map(flip => [JSON.stringify([flip.dataset, flip.topic, flip.day]), flip]))
  const newest = [...current.values()].sort((a, b) => a.day < b.day ? 1 : -1).slice(0, DAYS_MAX)
  return { boundary: flips.at(-1)?.seq ?? 0, realtime_days: config.realtimeDays, days: newest.map(describeFlip), waiting }
}

function describeFlip ({ sourceRows, sourceHash, offsets, columns: _, lake, cleanedAt, ...flip }: Flip): object {
  return { ...flip, offsets: Object.fromEntries(offsets), source_rows: sourceRows, source_hash: sourceHash, lake: lake ?? null, cleaned_at: cleanedAt ?? null }
}
