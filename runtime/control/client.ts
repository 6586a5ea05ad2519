// The Python client, as one file to download: it is public, and so is what it says.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'

const FILE = join(import.meta.dirname, 'client', 'twolane.py')

export function clientRoutes (app: FastifyInstance): void {
  app.get('/twolane.py', {
    config: { access: 'anyone' },
    schema: { summary: 'The Python client, one file', tags: ['data'], response: { 200: { description: 'Python', content: { 'text/x-python': { schema: { type: 'string' } } } } } }
  }, async (_request, reply) => reply.type('text/x-python; charset=utf-8').header('cache-control', 'no-cache').send(await readFile(FILE, 'utf8')))
}
