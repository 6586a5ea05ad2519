// The form of pipelines/<id>.yaml, without the options of the plugins, as JSON Schema.

import { scheduleForm } from './jobs/schedule-file.ts'

const renameForm = {
  type: 'object',
  additionalProperties: { type: 'string' },
  description: "Names of the source's fields and the fields of the topic schema they go to, on top of the plugin's own."
}

const flushForm = {
  type: 'object',
  additionalProperties: false,
  description: 'When what was written is made durable and committed: at the first of these.',
  properties: {
    rows: { type: 'integer', minimum: 1, maximum: 10_000_000, description: 'Rows written since the last flush.' },
    ms: { type: 'integer', minimum: 1, maximum: 86_400_000, description: 'Milliseconds since the first of them came.' },
    megabytes: { type: 'number', exclusiveMinimum: 0, maximum: 4096, description: 'Their size in the topic.' }
  }
}

const nameForm = { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,63}$', description: "The step's name; the plugin's where it is left out. Unique in its list." }

/** Keys beside the plugin's name, by kind of step. */
export const reservedKeys = {
  input: { rename: renameForm },
  transform: { name: nameForm },
  output: { name: nameForm, flush: flushForm }
} as const

/** What an input, transform or output looks like before its plugin is known. */
const stepForm = { type: ['object', 'string'] }

export const heapMegabytesDefault = 256

export const pipelineForm = {
  type: 'object',
  additionalProperties: false,
  required: ['topic'],
  properties: {
    description: { type: 'string', description: 'What the pipeline is for.' },
    enabled: { type: 'boolean', description: 'False: it is checked but not run.' },
    input: { ...stepForm, description: 'Where rows come from; without it, another pipeline fills the topic.' },
    topic: { type: 'string', description: 'Where the rows are kept: the name of a file in schemas/.' },
    transforms: { type: 'array', items: stepForm, description: 'What is done to the rows between the topic and each output, in order.' },
    outputs: { type: 'array', items: stepForm, description: 'Where the rows go; each output reads the topic at its own pace.' },
    schedule: scheduleForm,
    limits: {
      type: 'object',
      additionalProperties: false,
      description: 'What the pipeline may use.',
      properties: {
        heap_megabytes: { type: 'integer', minimum: 32, maximum: 65_536, description: `JavaScript memory of its thread, ${heapMegabytesDefault} where it is left out.` }
      }
    }
  }
} as const
