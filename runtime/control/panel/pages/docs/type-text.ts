/** JSON Schema, as far as the reference shows it. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
}

/** `integer 1…1000, 50 unless given`; `'ok' or 'warn'`; `list of text` */
export function typeText (schema: JsonSchema | undefined): string {
  if (schema === undefined) return 'anything'
  const base = baseOf(schema)
  const range = schema.minimum === undefined && schema.maximum === undefined ? '' : ` ${schema.minimum ?? ''}…${schema.maximum ?? ''}`
  return `${base}${range}${schema.default === undefined ? '' : `, ${JSON.stringify(schema.default)} unless given`}`
}

const names: Readonly<Record<string, string>> = { string: 'text', integer: 'integer', number: 'number', boolean: 'true or false', object: 'object', array: 'list', null: 'null' }

function baseOf ({ type, enum: options, items, anyOf, oneOf, format }: JsonSchema): string {
  if (options !== undefined) return options.map(one => one === null ? 'null' : String(one)).join(' | ')
  const alternatives = anyOf ?? oneOf
  if (alternatives !== undefined) return alternatives.map(typeText).join(' or ')
  if (type === 'array') return items === undefined ? 'list' : `list of ${typeText(items)}`
  const all = type === undefined ? [] : [type].flat()
  if (all.length === 0) return 'anything'
  return all.map(one => one === 'string' && format !== undefined ? format : names[one] ?? one).join(' or ')
}
