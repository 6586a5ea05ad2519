// All files that are set up here, as one archive: git stays the truth, and this is how changes get there.

import { archive } from '../setup/archive.ts'
import { listFiles, readText } from '../setup/project-files.ts'
import { publicText } from '../setup/public-text.ts'
import { secretsOf } from '../setup/secret-options.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

export function exportRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/export', {
    config: { access: 'platform:read', audit: true },
    schema: {
      summary: 'Pipelines, their tests, schemas, models and settings as one archive (tar, gzipped), with secrets as ***',
      tags: ['setup'],
      response: { 200: { description: 'The archive', content: { 'application/gzip': { schema: { type: 'string' } } } } }
    }
  }, async (_request, reply) => {
    const secrets = await secretsOf(platform)
    const files = await Promise.all((await listFiles(platform.root)).map(async ({ path }) => ({ path, text: publicText(path, await readText(platform.root, path) ?? '', secrets) })))
    return reply.type('application/gzip').header('content-disposition', 'attachment; filename="twolane-project.tar.gz"').send(await archive(files, Date.now()))
  })
}
