// Takes pipelines, topics and datasets away for good.

import { PlatformError } from '../errors.ts'
import { planTeardown, tearDown } from '../setup/teardown.ts'
import { note } from './audited.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'
import type { TeardownKind } from '../setup/teardown.ts'

interface ByName { readonly Params: { readonly kind: TeardownKind, readonly name: string } }

const params = { type: 'object', properties: { kind: { type: 'string', enum: ['pipeline', 'topic', 'dataset'] }, name: { type: 'string', pattern: '^[a-z0-9_](?:[a-z0-9_-]|\\.(?!\\.)){0,63}$' } } }
const texts = { type: 'array', items: { type: 'string' } }
const teardownSchema = {
  type: 'object',
  properties: {
    kind: { type: 'string' },
    name: { type: 'string', description: 'What has to be sent to go on' },
    goes: { type: 'array', items: { type: 'object', properties: { what: { type: 'string' }, size: { type: 'string' }, rows: { type: 'boolean', description: 'Only where the rows are to go, too' } } } },
    stays: texts,
    readers: { ...texts, description: 'Who still reads it: it is refused while there are any' }
  }
}

export function teardownRoutes (app: FastifyInstance, platform: Platform): void {
  app.get<ByName>('/v1/teardown/:kind/:name', {
    config: { access: 'pipelines:write' },
    schema: { summary: 'What would go and what would stay, and who still reads it', tags: ['setup'], params, response: { 200: teardownSchema } }
  }, async ({ params: { kind, name } }) => planTeardown(platform, kind, name))

  app.post<ByName & { Body: { readonly name: string, readonly rows: boolean } }>('/v1/teardown/:kind/:name', {
    config: { access: 'pipelines:write' },
    schema: {
      summary: 'Takes it away for good',
      description: 'The name is sent once more. Rows that are to go need the scope sql:write besides. Refused with 409 STILL_READ while somebody reads it.',
      tags: ['setup'],
      params,
      consumes: ['application/json'],
      body: { type: 'object', additionalProperties: false, required: ['name'], properties: { name: { type: 'string', maxLength: 64 }, rows: { type: 'boolean', default: false, description: 'Whether rows go, too' } } },
      response: { 200: teardownSchema }
    }
  }, async request => {
    const { params: { kind, name }, body } = request
    const principal = principalOf(request)
    if (body.name !== name) throw new PlatformError('REQUEST_INVALID', `The name that was sent is not ${JSON.stringify(name)}`, { remedy: 'Send the name of what is to go, letter by letter.' })
    if (body.rows && !principal.scopes.has('sql:write')) throw new PlatformError('SCOPE_MISSING', `To remove rows needs the scope sql:write, which ${principal.user} lacks`, { remedy: 'Ask an admin.' })
    note(request, { action: 'teardown', target: `${kind} ${name}`, detail: { rows: body.rows } })
    return tearDown(platform, principal, { kind, name, rows: body.rows })
  })
}
