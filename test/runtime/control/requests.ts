// Requests at random for every operation of the description: what its schemas allow, with something hostile in it here and there.

import fc from '../../properties.ts'

interface Schema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly oneOf?: readonly Schema[]
  readonly anyOf?: readonly Schema[]
}

interface Parameter { readonly name: string, readonly in: string, readonly required?: boolean, readonly schema: Schema }

export interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, {
    readonly parameters?: readonly Parameter[]
    readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> }
  }>>>>
}

export interface WildRequest {
  readonly method: string
  /** As the description has it: `/v1/pipelines/{id}`. */
  readonly path: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly payload?: string
}

/* eslint no-template-curly-in-string: "off" -- it is a variable of a hostile file */
const hostileTexts = [
  '', ' ', '\0', '..', '../../etc/passwd', '..%2f..%2fetc', '%', '%zz', '%00', '/etc/passwd', 'file:///etc/passwd', 'http://169.254.169.254/', '\' OR 1=1 --', '"; DROP TABLE x; --', '`', '$(id)', '${TWOLANE_ADMIN_TOKEN}', '{{7*7}}', '<script>', '__proto__', 'constructor', 'prototype',
  'toString', '\u202e', '\ud800', '\ufeff', '😀', 'a\r\nset-cookie: x=y', '\u001b[31m', 'NaN', '-1', '1e999', '99999999999999999999', '2024-02-30', '0000-00-00T00:00:00Z', '[', '*', '[]', '{}', 'null', 'x'.repeat(300), '='.repeat(50), '&: *a', '!!js/function x'
]
const hostile = fc.oneof({ weight: 6, arbitrary: fc.constantFrom<unknown>(...hostileTexts) }, fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e308, 2 ** 53, [], {}, [[[[]]]]), fc.string({ unit: 'binary', maxLength: 20 }), fc.json({ maxDepth: 2 }).map(text => JSON.parse(text) as unknown))
const names = fc.constantFrom('trades', 'trades', 'file', 'generate', 'n', 'viewer', 'x')
const moments = fc.constantFrom('2024-01-02', '2024-01-02T03:04:05Z', '1h', '7d', 'UTC')

/** A value that the schema allows, mostly. */
function valueOf (schema: Schema, depth = 0): fc.Arbitrary<unknown> {
  const wild = (honest: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof({ weight: 12, arbitrary: honest }, { weight: 1, arbitrary: hostile })
  if (depth > 6) return hostile
  const choice = schema.oneOf ?? schema.anyOf
  if (choice !== undefined) return wild(fc.oneof(...choice.map(one => valueOf({ ...schema, oneOf: undefined, anyOf: undefined, ...one } as Schema, depth + 1))))
  if ('const' in schema) return wild(fc.constant(schema.const))
  if (schema.enum !== undefined) return wild(fc.constantFrom(...schema.enum))
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type ?? (schema.properties === undefined ? ['string'] : ['object'])
  return wild(fc.oneof(...types.map(type => ofType(type, schema, depth))))
}

function ofType (type: string, schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const range = { min: Math.ceil(schema.minimum ?? -5), max: Math.floor(schema.maximum ?? 1000) }
  switch (type) {
    case 'integer': return fc.integer(range)
    case 'number': return fc.oneof(fc.integer(range), fc.double({ min: schema.minimum ?? -5, max: schema.maximum ?? 1000, noNaN: true }))
    case 'boolean': return fc.boolean()
    case 'null': return fc.constant(null)
    case 'array': return fc.array(valueOf(schema.items ?? {}, depth + 1), { maxLength: 3 })
    case 'object': return objectOf(schema, depth)
    default: return schema.pattern === undefined || /\(\?/.test(schema.pattern) ? fc.oneof(names, moments) : fc.oneof(names, moments, fc.stringMatching(new RegExp(schema.pattern)))
  }
}

function objectOf ({ properties = {}, required = [], additionalProperties }: Schema, depth: number): fc.Arbitrary<unknown> {
  const known = fc.record(Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, valueOf(schema, depth + 1)])), { requiredKeys: [...required].filter(name => name in properties) })
  const others = fc.dictionary(names, typeof additionalProperties === 'object' ? valueOf(additionalProperties, depth + 1) : hostile, { maxKeys: additionalProperties === false ? 0 : 2 })
  const added = fc.oneof({ weight: 15, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.tuple(fc.constantFrom('__proto__', 'constructor', 'prototype', 'extra', 'role', 'x'.repeat(100)), hostile).map(([name, value]) => JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value) ?? 'null'}}`) as object) })
  // Object.assign would follow __proto__.
  return fc.tuple(known, others, added).map(parts => Object.fromEntries(parts.flatMap(part => Object.entries(part as object))))
}

const inAddress = (value: unknown): string => encodeURIComponent((typeof value === 'string' ? value : JSON.stringify(value) ?? '').toWellFormed())

export function requestsOf (document: Described): fc.Arbitrary<WildRequest> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })))
  return fc.constantFrom(...operations).chain(({ path, method, operation: { parameters = [], requestBody } }) => {
    const inPath = parameters.filter(parameter => parameter.in === 'path')
    const inQuery = parameters.filter(parameter => parameter.in === 'query')
    const query = fc.record(Object.fromEntries(inQuery.map(({ name, schema }) => [name, valueOf(schema)])), { requiredKeys: inQuery.filter(({ required }) => required === true).map(({ name }) => name) })
    const twice = fc.oneof({ weight: 20, arbitrary: fc.constant('') }, fc.constantFrom('&limit=1&limit=2', '&__proto__=1', '&%', '&x[]=1', '&token=x'))
    const contents = Object.entries(requestBody?.content ?? {})
    const body = contents.length === 0
      ? fc.constant(undefined)
      : fc.constantFrom(...contents).chain(([type, { schema = {} }]) => valueOf(schema).map(value => ({ type, text: typeof value === 'string' && !type.includes('json') ? value : JSON.stringify(value) ?? 'null' })))
    const broken = fc.oneof({ weight: 20, arbitrary: fc.constant((text: string) => text) }, fc.constantFrom((text: string) => text.slice(0, -1), (text: string) => `${text}${text}`, () => '', (text: string) => text.replace('{', '{"__proto__":{"polluted":1},')))
    return fc.tuple(fc.tuple(...inPath.map(({ schema }) => valueOf(schema))), query, twice, body, broken, fc.constantFrom<Record<string, string>>({}, {}, {}, { 'x-forwarded-for': '10.0.0.1' }, { 'if-none-match': '*' }, { accept: '\u00ff' }, { range: 'bytes=0-1' }, { 'last-event-id': '-1' }, { 'content-type': 'text/html' })).map(([values, found, more, content, spoil, headers]) => {
      const named = new Map(inPath.map(({ name }, i) => [name, inAddress(values[i]) || 'x']))
      const asked = Object.entries(found as object).map(([name, value]) => `${name}=${inAddress(value)}`).join('&')
      return {
        method,
        path,
        url: `${path.replace(/\{([^}]+)\}/g, (_, name: string) => named.get(name) ?? 'x')}?${asked}${more}`,
        headers: { ...(content !== undefined && { 'content-type': content.type }), ...headers },
        ...(content !== undefined && { payload: spoil(content.text) })
      }
    })
  })
}
