import { connectClickHouse } from '../clickhouse/client.ts'
import { PlatformError } from '../errors.ts'
import { worst } from '../quality/result.ts'
import { latestResults, listResults, qualityDays, QUALITY_DAYS_MAX, RESULTS_MAX } from '../quality/results.ts'
import { formatThreshold } from '../quality/threshold.ts'
import type { FastifyInstance } from 'fastify'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { Platform } from '../platform.ts'
import type { QualityRule, Threshold } from '../quality/rule.ts'
import type { KeptResult } from '../quality/results.ts'

const topicName = { type: 'string', pattern: '^[a-z0-9_][a-z0-9_.-]{0,127}$' }
const ruleName = { type: 'string', pattern: '^[a-z][a-z0-9_]{0,63}$' }
const level = { type: 'string', enum: ['ok', 'warn', 'error'] }
const moment = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\d(?:T[\\d:.]{5,12}Z)?$', description: 'A UTC day or time, such as 2024-01-02 or 2024-01-02T14:30:00Z' }

const result = {
  type: 'object',
  properties: {
    topic: { type: 'string' },
    rule: { type: 'string' },
    metric: { type: 'string' },
    dataset: { type: 'string', description: 'The table that was looked at' },
    scope: { type: 'string', description: 'day: a whole day, before it is handed over; now: the last minutes' },
    at: { type: 'integer', description: 'When it was checked, ms since 1970' },
    from: { type: 'integer', description: 'What was looked at, from, ms since 1970' },
    to: { type: 'integer' },
    level,
    value: { type: ['number', 'null'], description: 'What was measured; null: there was nothing to measure' },
    unit: { type: 'string' },
    threshold: { type: 'string', description: 'What it must be' },
    rows: { type: 'number', description: 'Rows that were looked at' },
    failing: { type: 'number' },
    examples: { type: 'array', items: { type: 'object', additionalProperties: true } },
    message: { type: 'string' },
    run: { type: 'string', description: 'The run of a job that did it; empty: none' }
  }
}
const rule = {
  type: 'object',
  properties: {
    topic: { type: 'string' },
    rule: { type: 'string' },
    metric: { type: 'string' },
    description: { type: 'string' },
    dimension: { type: 'string' },
    during: { type: 'string', description: 'Only rows within the sessions of this market calendar count' },
    warn: { type: ['string', 'null'] },
    error: { type: ['string', 'null'] },
    rejects: { type: 'boolean', description: 'Rows that break it go to the rejected topic' },
    results: { type: 'array', description: 'The latest one of each table and scope; none: not checked yet, or checked by the mapping only', items: result }
  }
}

const day = {
  type: 'object',
  properties: {
    topic: { type: 'string' },
    day: { type: 'string', description: 'Such as 2024-01-02, UTC' },
    level,
    checks: { type: 'integer' },
    warnings: { type: 'integer', description: 'Rules with a warning' },
    errors: { type: 'integer' },
    rules: { type: 'array', description: 'Those that did not hold', items: { type: 'string' } }
  }
}

export function qualityRoutes (app: FastifyInstance, platform: Platform): void {
  app.get<{ Querystring: { topic?: string, days?: number } }>('/v1/quality', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'The quality rules of all schemas, with the latest result of each',
      tags: ['quality'],
      querystring: { type: 'object', additionalProperties: false, properties: { topic: topicName, days: { type: 'integer', minimum: 1, maximum: QUALITY_DAYS_MAX, description: 'With what each of the last days said' } } },
      response: { 200: { type: 'object', properties: { level, rules: { type: 'array', items: rule }, days: { type: 'array', description: 'By topic and day, where days was given', items: day } } } }
    }
  }, async request => {
    const { topic, days } = request.query
    if (topic !== undefined) checkTopic(platform, topic)
    const rules = [...platform.supervisor.schemas.values()].filter(({ name }) => topic === undefined || name === topic).flatMap(({ name, quality = [] }) => quality.map(one => ({ topic: name, one })))
    const latest = rules.length === 0 ? [] : await withClient(platform, client => latestResults(client, { topic }))
    const answers = rules.map(({ topic, one }) => ruleAnswer(topic, one, latest.filter(result => result.topic === topic && result.rule === one.name)))
    const told = days === undefined ? {} : { days: rules.length === 0 ? [] : await withClient(platform, client => qualityDays(client, { topic, days })) }
    return { level: worst(answers.flatMap(({ results }) => results)), rules: answers, ...told }
  })

  app.get<{ Params: { topic: string }, Querystring: { from?: string, to?: string, level?: KeptResult['level'], rule?: string, rows: number } }>('/v1/quality/:topic', {
    config: { access: 'topics:read' },
    schema: {
      summary: 'What the quality rules of a topic found, newest first',
      tags: ['quality'],
      params: { type: 'object', properties: { topic: topicName } },
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: {
          from: { ...moment, description: `Checked then or later. ${moment.description}` },
          to: { ...moment, description: `Checked before. ${moment.description}` },
          level,
          rule: ruleName,
          rows: { type: 'integer', minimum: 1, maximum: RESULTS_MAX, default: 100 }
        }
      },
      response: { 200: { type: 'object', properties: { results: { type: 'array', items: result } } } }
    }
  }, async request => {
    const { params: { topic }, query: { from, to, ...others } } = request
    checkTopic(platform, topic)
    const span = { ...(from !== undefined && { from: momentOf('from', from) }), ...(to !== undefined && { to: momentOf('to', to) }) }
    const results = await withClient(platform, client => listResults(client, { topic, ...span, ...others }))
    return { results: results.map(answerOf) }
  })
}

function checkTopic ({ supervisor }: Platform, topic: string): void {
  if (!supervisor.schemas.has(topic)) throw new PlatformError('NOT_FOUND', `There is no topic "${topic}"`)
}

function momentOf (name: string, text: string): number {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw new PlatformError('REQUEST_INVALID', `${name} is no day and no time: ${text}`, { remedy: 'Write 2024-01-02 or 2024-01-02T14:30:00Z.' })
  return ms
}

async function withClient<T> ({ warehouse }: Platform, ask: (client: ClickHouse) => Promise<T>): Promise<T> {
  if (warehouse === undefined) throw new PlatformError('ENGINE_UNAVAILABLE', 'There is no ClickHouse')
  const client = await connectClickHouse(warehouse)
  try {
    return await ask(client)
  } finally {
    await client.close()
  }
}

function ruleAnswer (topic: string, { name, metric, description, dimension, during, warn, error, reject }: QualityRule, results: readonly KeptResult[]) {
  const text = (threshold: Threshold | undefined): string | null => threshold === undefined ? null : formatThreshold(threshold)
  return { topic, rule: name, metric, description, dimension, during, warn: text(warn), error: text(error), rejects: reject, results: results.map(answerOf) }
}

function answerOf ({ value, ...others }: KeptResult) {
  return { ...others, value: value ?? null }
}
