// The form of schemas/<topic>.yaml as JSON Schema: it checks the files and completes them in an editor.

import { qualityForm } from './quality/rule-form.ts'
import { timeUnits, typeForms } from './type-text.ts'

const name = '^[a-z_][a-z0-9_]{0,63}$'

const castForm = {
  type: 'object',
  description: 'How the text of a source becomes a value; what is not allowed here makes the row a rejected one.',
  additionalProperties: false,
  properties: {
    prefixes: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 16 }, uniqueItems: true, description: 'Letters before a number that carry no value, such as C for a previous close.' },
    suffixes: {
      type: ['boolean', 'object'],
      additionalProperties: { type: 'number', exclusiveMinimum: 0 },
      description: 'Letters after a number and what each multiplies by, such as { K: 1000 }; true: K, M and B.'
    },
    thousands: { type: 'string', enum: ['', ',', ' ', "'", '_'], description: 'The separator of thousands; empty: none is allowed.' },
    percent: { type: 'string', enum: ['', 'fraction', 'number'], description: '12.5% becomes 0.125 (fraction) or 12.5 (number); empty: a percent sign is an error.' },
    unit: { type: 'string', enum: [...timeUnits, 'iso'], description: 'Of a timestamp sent as a number since 1970; iso: only ISO 8601 text is taken.' },
    zone: { type: 'string', minLength: 1, description: 'IANA zone of ISO 8601 text that carries no offset.' },
    nulls: { type: 'array', items: { type: 'string' }, uniqueItems: true, description: 'Texts that mean null, such as N/A or the empty text.' },
    excess: { type: 'string', enum: ['reject', 'round'], description: 'Digits beyond the scale of a decimal or the precision of a timestamp: refuse the row, or round half even.' }
  }
}

const fieldForm = {
  type: 'object',
  additionalProperties: false,
  required: ['type'],
  properties: {
    type: { type: 'string', maxLength: 10_000, description: `Destination type: ${typeForms.join(', ')}.` },
    required: { type: 'boolean', description: 'Every row has the field; a connector whose source lacks it fills in "not present in source system".' },
    unit: { type: 'string', description: 'Of the value, such as USD, shares or ms.' },
    description: { type: 'string', description: 'What the field means.' },
    low_cardinality: { type: 'boolean', description: 'A text with few different values: stored once and referred to.' },
    aliases: { type: 'array', items: { type: 'string', minLength: 1 }, description: 'Names under which sources send the field.' },
    cast: castForm
  }
}

export const topicForm = {
  type: 'object',
  additionalProperties: false,
  required: ['fields'],
  properties: {
    description: { type: 'string', description: 'What the topic holds.' },
    owner: { type: 'string', description: 'Who answers for the data.' },
    key: {
      type: 'array',
      items: { type: 'string' },
      uniqueItems: true,
      description: 'Fields that together name an instrument (or any other entity); rows of one key keep their order.'
    },
    unique: {
      type: 'array',
      items: { type: 'string' },
      uniqueItems: true,
      minItems: 1,
      description: 'Fields that together name a row, such as the instrument and the start of a bar: of several rows with the same values, the views `realtime`, `history` and `data` show the one that was taken last. Meant for bars and reference data: every query then compares all rows that it reads.'
    },
    event_time: { type: 'string', description: 'The field that says when it happened; without it, the ingest time counts.' },
    partitions: { type: 'integer', minimum: 1, maximum: 1024, description: 'Of the topic; each is worked on its own.' },
    retention: {
      type: 'object',
      additionalProperties: false,
      description: 'What the topic keeps; the first bound that is reached counts.',
      properties: {
        days: { type: 'number', exclusiveMinimum: 0, maximum: 36_500, description: 'Older rows may go.' },
        gigabytes: { type: 'number', exclusiveMinimum: 0, description: 'The oldest rows go when the topic holds more.' },
        beyond_outputs: { type: 'boolean', description: 'Rows that an output has not taken yet may go, too; false: a stuck output keeps its rows.' }
      }
    },
    realtime_period: { type: 'string', pattern: '^[1-9]\\d{0,3}d$', description: 'How many days before today the streaming database keeps; older ones are handed over to the warehouse. As `realtime_period` of config/platform.yaml where it is left out.', examples: ['3d'] },
    public: { type: 'boolean', description: 'People without a login see its name and whether it is fresh, on the page /status; never its rows.' },
    quality: qualityForm,
    fields: {
      type: 'object',
      description: 'The fields of a row, in the order of the destination table.',
      minProperties: 1,
      maxProperties: 2000,
      propertyNames: { pattern: name },
      additionalProperties: fieldForm
    }
  }
} as const
