import { backupsOf } from '../backup/backups.ts'
import { idPattern } from '../backup/manifest.ts'
import { PlatformError } from '../errors.ts'
import { principalOf } from './guard.ts'
import { runForm, showRun } from './job-form.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const backup = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    at: { type: 'string', description: 'Rows that came later are not in it, ISO 8601, UTC' },
    ms: { type: 'integer', description: 'What it took' },
    rows: { type: 'integer', description: 'Of tables' },
    bytes: { type: 'integer', description: 'As they are stored; backups share what has not changed' },
    left_out: { type: 'array', items: { type: 'string' }, description: 'What is not in it, and why' },
    check: {
      type: ['object', 'null'],
      description: 'When it was brought back into a scratch place the last time; null: never',
      properties: { at: { type: 'string' }, ok: { type: 'boolean' }, detail: { type: 'string' } }
    }
  }
}
const byId = { type: 'object', required: ['id'], properties: { id: { type: 'string', pattern: idPattern } } }

export function backupRoutes (app: FastifyInstance, platform: Platform): void {
  const backups = backupsOf(platform)

  app.get('/v1/backups', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'The backups that there are, newest first',
      tags: ['backups'],
      response: { 200: { type: 'object', properties: { place: { type: 'string', description: 'Empty: none is set' }, keep: { type: 'integer' }, backups: { type: 'array', items: backup } } } }
    }
  }, async () => ({
    place: backups.address,
    keep: platform.config.backupKeep,
    backups: backups.address === '' ? [] : (await backups.list()).map(({ leftOut, check, ...one }) => ({ ...one, left_out: leftOut, check: check === undefined ? null : { ...check, at: new Date(check.at).toISOString() } }))
  }))

  app.post<{ Body: { to?: string } | null }>('/v1/backups', {
    config: { access: 'backup:write', action: 'backup.make' },
    schema: {
      summary: 'Makes a backup of everything',
      description: 'It is a run of the job backup. Only the admin token may name another place than the one that the configuration has.',
      tags: ['backups'],
      body: { type: ['object', 'null'], additionalProperties: false, properties: { to: { type: 'string', minLength: 1, maxLength: 1000 } } },
      response: { 202: runForm }
    }
  }, async (request, reply) => {
    const { to } = request.body ?? {}
    const { kind, user } = principalOf(request)
    if (to !== undefined && kind !== 'admin') throw new PlatformError('SCOPE_MISSING', 'Only the admin token may name the place of a backup', { remedy: 'Leave out "to": then it goes to backup_to of the configuration.' })
    if (to === undefined) backups.checkPlace()
    const started = platform.jobs.start('backup', { startedBy: user, ...(to !== undefined && { params: { place: backups.request(to) } }) })
    return reply.code(202).send(showRun(started))
  })

  app.post<{ Params: { id: string } }>('/v1/backups/:id/verify', {
    config: { access: 'backup:write', action: 'backup.verify' },
    schema: { summary: 'Brings a backup back into a scratch place, and compares what is there then', tags: ['backups'], params: byId, response: { 202: runForm } }
  }, async (request, reply) => {
    const { id } = request.params
    if (!(await backups.list()).some(backup => backup.id === id)) throw new PlatformError('NOT_FOUND', `There is no backup ${id}`, { remedy: 'GET /v1/backups lists them.' })
    return reply.code(202).send(showRun(platform.jobs.start('backup', { startedBy: principalOf(request).user, params: { verify: id } })))
  })
}
