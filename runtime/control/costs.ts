import { dayOf } from '../cost/ledger.ts'
import { measureDays } from '../cost/measure.ts'
import { readPrices } from '../cost/prices.ts'
import { costReport, FORECAST_DAYS, monthOf } from '../cost/report.ts'
import { whatIf } from '../cost/what-if.ts'
import { notControl } from './guard.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Platform } from '../platform.ts'

const DAY_MS = 86_400_000
const money = (description: string): object => ({ type: 'number', description })
const bytes = { type: 'number' }
const dataset = { type: 'string' }

const report = {
  type: 'object',
  properties: {
    currency: { type: 'string' },
    budget: money('Of a month'),
    month: { type: 'string', description: 'In UTC' },
    since: { type: 'string', format: 'date-time', description: 'From when on it was measured: the first of the month, or later where the platform is younger' },
    so_far: money('Of the month'),
    forecast: money('At its end, if it goes on as the last seven days'),
    over_budget: { type: 'boolean', description: 'The forecast is above the budget' },
    parts: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          part: { type: 'string' },
          kind: { type: 'string', enum: ['machine', 'disk', 'store', 'traffic'] },
          amount: money('So far'),
          forecast: money('At the end of the month'),
          usage: { type: 'string' },
          how: { type: 'string', description: 'How it was reckoned' },
          unallocated: { type: 'boolean', description: 'Paid for, and used by no part' }
        }
      }
    },
    datasets: { type: 'array', description: 'What of the parts is theirs', items: { type: 'object', properties: { dataset, amount: money('So far'), forecast: money('At the end of the month'), cpu_seconds: { type: 'number' }, disk_bytes: bytes, sent_bytes: bytes } } },
    tokens: { type: 'array', description: 'Who was sent how much', items: { type: 'object', properties: { name: { type: 'string' }, sent_bytes: bytes } } },
    provider: { type: 'string' },
    prices_of: { type: 'string', description: 'When the prices were looked up' },
    realtime_period: { type: 'string' },
    what_if: {
      type: 'array',
      description: 'What another realtime_period would add a month, from the bytes of a day; datasets with a period of their own are not in it',
      items: { type: 'object', properties: { realtime_period: { type: 'string' }, amount: money('More than now'), bytes, datasets: { type: 'array', items: { type: 'object', properties: { dataset, amount: money('More than now'), bytes } } } } }
    }
  }
}

export function costRoutes (app: FastifyInstance, platform: Platform): void {
  app.addHook('onRequest', async ({ raw: { socket } }) => { sentBefore.set(socket, socket.bytesWritten) })
  app.addHook('onResponse', async (request, reply) => { countSent(platform, request, reply) })

  app.get('/v1/costs', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'What the platform costs this month, by part and dataset, against its budget',
      description: 'From the prices in config/cost.yaml and what was measured, up to now. 404 where there is no such file, 422 where it is wrong.',
      tags: ['costs'],
      response: { 200: report }
    }
  }, async () => costsOf(platform))
}

async function costsOf (platform: Platform): Promise<object> {
  const { root, config, costs, supervisor, clickhouse, warehouse, fleet } = platform
  // What was used is known to the control side.
  if (!fleet.isControl) throw await notControl(fleet)
  const prices = await readPrices(root)
  await costs.fresh()
  const now = Date.now()
  const month = monthOf(now)
  const began = costs.ledger.began(now)
  const used = costs.ledger.between(dayOf(Math.min(month.from, now - FORECAST_DAYS * DAY_MS)), dayOf(now + DAY_MS))
  const datasetOf = new Map([...supervisor.files.pipelines.values()].map(({ id, topic }) => [id, topic]))
  const found = costReport({ prices, used, now, began, datasetOf })
  const days = (await measureDays(platform).catch(() => [])).filter(({ dataset }) => supervisor.schemas.get(dataset)?.realtimeDays === undefined)
  const monthDay = dayOf(month.from)
  const askers = new Map<string, number>()
  for (const { day, kind, name, amount } of used) if (kind === 'sent_bytes' && day >= monthDay && /^(?:token|user) /.test(name)) askers.set(name, (askers.get(name) ?? 0) + amount)
  return {
    currency: prices.currency,
    budget: prices.budget_a_month,
    ...found,
    since: new Date(Math.max(month.from, began)).toISOString(),
    over_budget: found.forecast > prices.budget_a_month,
    tokens: [...askers].map(([name, amount]) => ({ name, sent_bytes: amount })).sort((a, b) => b.sent_bytes - a.sent_bytes),
    provider: prices.provider,
    prices_of: prices.prices_of,
    realtime_period: `${config.realtimeDays}d`,
    what_if: whatIf({ prices, days, realtimeDays: config.realtimeDays, sameDisk: warehouse === clickhouse })
  }
}

/** What a connection had sent before the request that it is at. */
const sentBefore = new WeakMap<object, number>()

/** By dataset and by who asked: an answer counts in both. */
function countSent ({ costs }: Platform, request: FastifyRequest, reply: FastifyReply): void {
  const { socket } = reply.raw.req
  const bytes = socket.bytesWritten - (sentBefore.get(socket) ?? 0)
  sentBefore.set(socket, socket.bytesWritten)
  if (!(bytes > 0)) return
  const { ds } = (request.params ?? {}) as { readonly ds?: string }
  costs.sent(ds === undefined ? 'control panel' : `dataset ${ds}`, bytes)
  const { principal } = request
  if (principal !== undefined) costs.sent(principal.token === undefined ? `user ${principal.user}` : `token ${principal.token}`, bytes)
}
