// Sources, destinations, schemas and settings are changed as files: looked at first, then applied as they were looked at.

import { ReadOnlyFiles, applyChange } from '../setup/apply.ts'
import { CHANGED_FILES_MAX } from '../setup/change-set.ts'
import { planChange } from '../setup/plan.ts'
import { FILE_BYTES_MAX } from '../setup/project-files.ts'
import { note } from './audited.ts'
import { principalOf } from './guard.ts'
import { answerReceipt, sendProblem } from './problem.ts'
import { receiptSchema } from './reload.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'
import type { ChangeRequest } from '../setup/change-set.ts'

const id = { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' }
const definition = { type: ['object', 'null'], additionalProperties: true, description: 'As in the file, as JSON; secrets that stay are ***. null: it goes' }
const step = { type: ['object', 'string', 'null'], additionalProperties: true, description: 'The plugin with its options, such as { "http": { "url": "…" } }. null: it goes' }

const changeProperties = {
  files: {
    type: 'array',
    maxItems: CHANGED_FILES_MAX,
    items: { type: 'object', additionalProperties: false, required: ['path', 'text'], properties: { path: { type: 'string', maxLength: 1000 }, text: { type: ['string', 'null'], maxLength: FILE_BYTES_MAX, description: 'null: the file goes' }, hash: { type: 'string', pattern: '^(?:[0-9a-f]{16})?$', description: 'Of the text that the change was made from, as GET /v1/files has it; empty: there was no file. Where the file is another one now, nothing is done (409 FILE_CHANGED)' } } }
  },
  pipeline: { type: 'object', additionalProperties: false, required: ['id', 'definition'], properties: { id, definition } },
  input: { type: 'object', additionalProperties: false, required: ['pipeline', 'definition'], properties: { pipeline: id, definition: step } },
  output: { type: 'object', additionalProperties: false, required: ['pipeline', 'name', 'definition'], properties: { pipeline: id, name: id, definition: step } },
  schema: { type: 'object', additionalProperties: false, required: ['topic', 'definition'], properties: { topic: { type: 'string', pattern: '^[a-z_][a-z0-9_.-]{0,63}$' }, definition } }
} as const

const problem = { type: 'object', properties: { file: { type: 'string' }, line: { type: 'integer', description: 'From 1 on; 0: the file as a whole' }, column: { type: 'integer' }, path: { type: 'string' }, message: { type: 'string' } } }
const problems = { type: 'array', items: problem }
const texts = { type: 'array', items: { type: 'string' } }
const counts = { type: 'object', properties: { passed: { type: 'integer' }, failed: { type: 'integer' } } }
const diff = {
  type: 'object',
  properties: {
    path: { type: 'string' },
    change: { type: 'string', enum: ['added', 'changed', 'removed'] },
    unified: { type: 'string', description: 'As diff -u writes it' },
    added: { type: 'integer', description: 'Lines' },
    removed: { type: 'integer' },
    secrets: { type: 'boolean', description: 'All that differs is a secret, which is not shown' }
  }
}
const effects = {
  type: 'object',
  properties: {
    start: texts,
    stop: texts,
    restart: texts,
    tables: { type: 'array', items: { type: 'object', properties: { table: { type: 'string' }, change: { type: 'string', enum: ['made', 'altered', 'refused'] }, statements: texts, reason: { type: 'string' } } } },
    schemas: { type: 'array', items: { type: 'object', properties: { topic: { type: 'string' }, change: { type: 'string' }, fields: { type: 'object', properties: { added: texts, removed: texts, changed: texts } } } } },
    notes: texts
  }
}
const planSchema = {
  type: 'object',
  properties: {
    plan: { type: 'string', description: 'What apply is to be given' },
    diffs: { type: 'array', items: diff },
    problems: { ...problems, description: 'It cannot be applied while there are any' },
    elsewhere: { ...problems, description: 'Of files that the change does not touch' },
    tests: { ...counts, description: 'Of the pipelines that it reaches' },
    effects
  }
}

export function changeRoutes (app: FastifyInstance, platform: Platform): void {
  app.post<{ Body: ChangeRequest }>('/v1/changes', {
    config: { access: 'pipelines:write', asks: true },
    schema: {
      summary: 'What a change of files would do: nothing is written',
      description: 'The change is checked in a copy of the project, with the tests of the pipelines that it reaches.',
      tags: ['setup'],
      consumes: ['application/json'],
      body: { type: 'object', additionalProperties: false, minProperties: 1, properties: changeProperties },
      response: { 200: planSchema }
    }
  }, async request => (await planChange(platform, principalOf(request), request.body)).plan)

  app.post<{ Body: ChangeRequest & { readonly plan: string } }>('/v1/changes/apply', {
    config: { access: 'pipelines:write' },
    schema: {
      summary: 'Makes a change that was planned, all or nothing',
      description: 'The body is that of the plan, and its hash. Where files have changed since, nothing is done (409 STALE_PLAN). Where the platform may not write them, the answer has the diffs to apply by hand (409 FILES_READ_ONLY).',
      tags: ['setup'],
      consumes: ['application/json'],
      body: { type: 'object', additionalProperties: false, required: ['plan'], minProperties: 2, properties: { ...changeProperties, plan: { type: 'string', pattern: '^[0-9a-f]{32}$' } } },
      response: { 200: receiptSchema }
    }
  }, async (request, reply) => {
    try {
      const { receipt, changes } = await applyChange(platform, principalOf(request), request.body)
      note(request, { action: 'files.change', target: changes.map(({ path }) => path).join(' '), detail: { revision: receipt.revision, outcome: receipt.outcome } })
      return await answerReceipt(platform, reply, receipt)
    } catch (error) {
      if (!(error instanceof ReadOnlyFiles)) throw error
      const { code, status, message, remedy } = error.cause
      return sendProblem(platform, reply, { status, code, detail: message, ...(remedy !== undefined && { remedy }), diffs: error.plan.diffs })
    }
  })
}
