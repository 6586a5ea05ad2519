// The parameters of the data API, which a query string and a body have alike, as JSON Schema.

import { DURATION_PATTERN } from '../duration.ts'
import { MOMENT_FORMS } from '../data/instant.ts'
import { formats, onTimes, PAGE_ROWS, PAGE_ROWS_MAX, priceTypes, SYMBOLS_MAX } from '../data/spec.ts'

export const list = (description: string): object => ({ anyOf: [{ type: 'string', maxLength: 20_000 }, { type: 'array', maxItems: SYMBOLS_MAX, items: { type: 'string', maxLength: 200 } }], description })
const instant = (description: string): object => ({ anyOf: [{ type: 'integer' }, { type: 'string', maxLength: 40 }], description })

export const rangeProperties = {
  start: instant(`First moment, inclusive: ${MOMENT_FORMS}; without a zone, UTC`),
  end: instant('Last moment, exclusive'),
  last: { type: 'string', pattern: DURATION_PATTERN, description: 'Instead of both: so long before now; the header X-Data-Range says what it meant', examples: ['7d'] }
}

export const commonProperties = {
  ...rangeProperties,
  symbols: list(`Values of the key, separated by commas, ${SYMBOLS_MAX} at most`),
  fields: list('Columns of the answer, in their order'),
  where: { description: 'Which rows, as JSON: ["price", ">", 10], {"and": […]} or {"or": […]}' },
  limit: { type: 'integer', minimum: 1, maximum: 100_000_000, description: 'Rows in all, from the start of the order' },
  page_size: { type: 'integer', minimum: 1, maximum: PAGE_ROWS_MAX, description: `Rows of a page of JSON; ${PAGE_ROWS} unless given` },
  page_token: { type: 'string', maxLength: 16_384, description: 'next_page_token of the page before; all other parameters stay as they were' },
  sort: { type: 'string', enum: ['asc', 'desc'], description: 'By time, key and position' },
  on_time: { type: 'string', enum: [...onTimes], description: 'Which time the range means: when it happened, or when it was ingested' },
  as_of: instant('Rows as they were known then: those that were ingested by that moment. Not of datasets whose rows replace each other'),
  price_type: { type: 'string', enum: [...priceTypes], description: 'Decimals as numbers, as text with all digits, or as integers of 1e-9; text in Arrow and Parquet is their decimal type' },
  strict: { type: 'boolean', description: 'A symbol that is not there is an error, not a warning' },
  trailer: { type: 'boolean', description: 'The last line of NDJSON says how many rows there were' }
}

export const formatParameter = { type: 'string', enum: [...formats] }
export const datasetParameter = { type: 'string', minLength: 1, maxLength: 200, pattern: '^[^/.]+$' }

/** Where a value may have several forms, text comes as text: only a body has others. */
const textOnly: ReadonlySet<string> = new Set(['where'])

export function querySchema (properties: Readonly<Record<string, object>>, required: readonly string[] = []): object {
  const text = Object.entries(properties).map(([name, schema]) => {
    const { description } = schema as { description?: string }
    if ('anyOf' in schema || textOnly.has(name)) return [name, { type: 'string', maxLength: name === 'where' ? 15_000 : 20_000, description }]
    return [name, schema]
  })
  return { type: 'object', additionalProperties: false, required, properties: Object.fromEntries(text) as object }
}

export function bodySchema (properties: Readonly<Record<string, object>>, required: readonly string[] = []): object {
  return { type: 'object', additionalProperties: false, required, properties }
}

const page = {
  type: 'object',
  description: 'A page of rows; of the other formats, the bytes',
  additionalProperties: true,
  properties: {
    dataset: { type: 'string' },
    columns: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, type: { type: 'string' } } } },
    rows: { type: 'array', items: { type: 'object', additionalProperties: true } },
    next_page_token: { type: ['string', 'null'] }
  }
}

/** For the description of the API; rows are sent as they come, and pass no schema. */
export const rowsResponse = {
  200: {
    description: 'Rows, in order',
    content: {
      'application/json': { schema: page },
      'application/x-ndjson': { schema: { type: 'string' } },
      'text/csv': { schema: { type: 'string' } },
      'application/vnd.apache.parquet': { schema: { type: 'string' } },
      'application/vnd.apache.arrow.stream': { schema: { type: 'string' } }
    }
  },
  304: { type: 'null', description: 'Nothing has changed since the answer with that ETag' }
}
