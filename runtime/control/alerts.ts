import { ALERTS_FILE } from '../alerts/alert-file.ts'
import { PlatformError } from '../errors.ts'
import { principalOf } from './guard.ts'
import { publicForm } from './public-form.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const DAYS_MAX = 30
const text = { type: 'string' }
const moment = { type: ['string', 'null'], description: 'ISO 8601, UTC; null: not yet' }
const alert = {
  type: 'object',
  properties: { rule: text, subject: text, state: { type: 'string', enum: ['pending', 'firing'] }, severity: text, cause: text, remedy: text, datasets: { type: 'array', items: text }, since: moment, fired_at: moment, told_at: moment, silenced: { type: 'boolean' } }
}
const silence = { type: 'object', properties: { id: text, matches: text, until: text, by: text, reason: text } }
const rule = { type: 'object', properties: { name: text, about: { type: 'string', description: 'The problems, or the metric, that it is about' }, severity: text, for_seconds: { type: 'number' }, repeat_seconds: { type: ['number', 'null'] }, during: text, to: { type: 'array', items: text } } }
const destination = { type: 'object', properties: { name: text, kind: { type: 'string', enum: ['webhook', 'slack', 'email'] }, waiting: { type: 'integer', description: 'Messages that it has not taken yet' }, error: { type: 'string', description: 'Why not; empty: nothing waits' } } }
const fileForm = { type: 'object', properties: { path: text, text: { type: 'string', description: 'Secrets are names of variables, or ***' }, rules: { type: 'array', items: rule } } }

export function alertRoutes (app: FastifyInstance, platform: Platform): void {
  reading(app, platform)

  app.put<{ Body: { text: string } }>('/v1/alerts/rules', {
    config: { access: 'alerts:write', action: 'alerts.rules.set' },
    schema: {
      summary: 'Writes the rules, and lets them hold at once',
      description: `The whole of ${ALERTS_FILE}. What is wrong with it is answered with line and column, and nothing is changed. Destinations stay as they are: they are changed in the file.`,
      tags: ['alerts'],
      body: { type: 'object', additionalProperties: false, required: ['text'], properties: { text: { type: 'string', maxLength: 500_000 } } },
      response: { 200: fileForm }
    }
  }, async request => {
    const { alerts } = platform.watch
    await alerts.replace(request.body.text, { destinations: principalOf(request).kind === 'admin' ? 'any' : 'same' })
    return fileAnswer(platform)
  })

  app.post<{ Body: { matches: string, hours: number, reason: string } }>('/v1/alerts/silences', {
    config: { access: 'alerts:write', action: 'alerts.silence' },
    schema: {
      summary: 'Lets nobody be told of something for a while',
      tags: ['alerts'],
      body: { type: 'object', additionalProperties: false, required: ['matches', 'hours'], properties: { matches: { type: 'string', minLength: 1, maxLength: 200, description: 'A rule, or what it is about; * stands for any text' }, hours: { type: 'number', exclusiveMinimum: 0, maximum: DAYS_MAX * 24 }, reason: { type: 'string', maxLength: 500, default: '' } } },
      response: { 200: silence }
    }
  }, async request => {
    const { matches, hours, reason } = request.body
    const now = Date.now()
    const made = platform.watch.alerts.state.silence({ matches, until: now + Math.round(hours * 3_600_000), by: principalOf(request).user, reason }, now)
    return { ...made, until: new Date(made.until).toISOString() }
  })

  app.delete<{ Params: { id: string } }>('/v1/alerts/silences/:id', {
    config: { access: 'alerts:write', action: 'alerts.silence.end' },
    schema: { summary: 'Ends a silence', tags: ['alerts'], params: { type: 'object', required: ['id'], properties: { id: { type: 'string', pattern: '^[0-9a-f-]{36}$' } } }, response: { 200: { type: 'object', properties: { id: text } } } }
  }, async ({ params: { id } }) => {
    if (!platform.watch.alerts.state.endSilence(id)) throw new PlatformError('NOT_FOUND', `There is no silence ${id}`)
    return { id }
  })

  app.post<{ Params: { name: string } }>('/v1/alerts/destinations/:name/test', {
    config: { access: 'alerts:write', action: 'alerts.destination.test' },
    schema: { summary: 'Sends a message that says that it is a test', tags: ['alerts'], params: { type: 'object', required: ['name'], properties: { name: { type: 'string', pattern: '^[a-z][a-z0-9_-]{0,63}$' } } }, response: { 200: { type: 'object', properties: { name: text, ok: { type: 'boolean' } } } } }
  }, async ({ params: { name } }) => {
    await platform.watch.alerts.test(name)
    return { name, ok: true }
  })
}

function reading (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/alerts', {
    config: { access: 'platform:read' },
    schema: { summary: 'What the rules say is wrong, who was told, and what is silenced', tags: ['alerts'], response: { 200: { type: 'object', properties: { alerts: { type: 'array', items: alert }, silences: { type: 'array', items: silence }, destinations: { type: 'array', items: destination } } } } }
  }, async () => {
    const { alerts: { state, config } } = platform.watch
    const now = Date.now()
    const waiting = state.waiting
    return {
      alerts: state.alerts.map(({ fired, told, since, datasets, ...one }) => ({ ...one, state: fired > 0 ? 'firing' : 'pending', datasets: JSON.parse(datasets) as string[], since: momentOf(since), fired_at: momentOf(fired), told_at: momentOf(told), silenced: state.isSilenced(one, now) })),
      silences: state.silences(now).map(({ until, ...one }) => ({ ...one, until: new Date(until).toISOString() })),
      destinations: config.destinations.map(one => {
        const own = waiting.filter(({ destination }) => destination === one.name)
        return { name: one.name, kind: 'webhook' in one ? 'webhook' : 'slack' in one ? 'slack' : 'email', waiting: own.length, error: own.find(({ error }) => error !== '')?.error ?? '' }
      })
    }
  })

  app.get('/v1/alerts/rules', {
    config: { access: 'platform:read' },
    schema: { summary: 'The rules, and the file that they stand in', tags: ['alerts'], response: { 200: fileForm } }
  }, async () => fileAnswer(platform))
}

async function fileAnswer (platform: Platform) {
  const { alerts } = platform.watch
  await alerts.refresh()
  const { rules, secrets } = alerts.config
  const shown = secrets.reduce((all, secret) => secret === '' ? all : all.replaceAll(secret, '***'), await alerts.text())
  return {
    path: ALERTS_FILE,
    text: publicForm(platform)(shown),
    rules: rules.map(({ forMs, repeatMs, problem, metric, ...one }) => ({ ...one, about: metric?.name ?? problem ?? '*', for_seconds: forMs / 1000, repeat_seconds: repeatMs === undefined ? null : repeatMs / 1000 }))
  }
}

function momentOf (ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString()
}
