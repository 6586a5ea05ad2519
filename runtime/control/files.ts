// The files of the project: what is set up by them can be read, and kept, as one archive.

import { PlatformError } from '../errors.ts'
import { hashOf, checkPath, listFiles, readText } from '../setup/project-files.ts'
import { publicText } from '../setup/public-text.ts'
import { secretsOf } from '../setup/secret-options.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

const properties = {
  path: { type: 'string' },
  kind: { type: 'string', enum: ['pipeline', 'test', 'schema', 'model', 'config'] },
  hash: { type: 'string', description: 'Of the text with its secrets' }
} as const

export function fileRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/files', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'The files of pipelines, their tests, schemas, models and settings',
      tags: ['setup'],
      response: { 200: { type: 'object', properties: { files: { type: 'array', items: { type: 'object', properties: { ...properties, bytes: { type: 'integer' } } } } } } }
    }
  }, async () => ({ files: await listFiles(platform.root) }))

  app.get<{ Params: { '*': string } }>('/v1/files/*', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'One file, with secrets as ***',
      tags: ['setup'],
      params: { type: 'object', properties: { '*': { type: 'string', description: 'Path of the file, such as pipelines/quotes.yaml' } } },
      response: { 200: { type: 'object', properties: { ...properties, text: { type: 'string' } } } }
    }
  }, async request => {
    const path = request.params['*']
    const kind = checkPath(path)
    const text = await readText(platform.root, path)
    if (text === undefined) throw new PlatformError('NOT_FOUND', `There is no ${path}`)
    return { path, kind, hash: hashOf(text), text: publicText(path, text, kind === 'pipeline' ? await secretsOf(platform) : new Map()) }
  })
}
