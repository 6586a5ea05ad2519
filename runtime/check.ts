// Checking a YAML value against a JSON Schema: what ajv finds, said in words and with the place.

import { Ajv } from 'ajv'
import type { ErrorObject, ValidateFunction } from 'ajv'
import { coreScalar } from './interpolate.ts'
import { configInvalid, formatPath, quote, suggest } from './problems.ts'
import type { Path, Problem } from './problems.ts'
import type { Json } from './plugin.ts'
import type { YamlFile } from './yaml.ts'

export type JsonSchema = Readonly<Record<string, unknown>>

// The schemas are ours and the plugins', never a user's: `$data` stays off, patterns are trusted.
const ajv = new Ajv({ allErrors: true, verbose: true, useDefaults: true, strict: false })
const validators = new WeakMap<JsonSchema, ValidateFunction>()

export interface CheckOptions {
  /** Where in the file the value stands. */
  readonly path?: Path
  /** The value where it is not the one at `path`, such as a shorthand written out. */
  readonly value?: Json
  /** From the path inside `value` to the one in the file. */
  readonly place?: (path: Path) => Path
}

/**
 * Checks `yaml.value`, or the part that the options name, and returns it with the schema's defaults filled in. Throws one
 * CONFIG_INVALID that lists all problems. A value that a variable made is read as the type the schema asks for.
 */
export function checkYaml<T = Json> (yaml: YamlFile, schema: JsonSchema, { path = [], value = valueAt(yaml.value, path), place = inside => [...path, ...inside] }: CheckOptions = {}): T {
  const validate = validators.get(schema) ?? ajv.compile(schema)
  validators.set(schema, validate)
  // The box lets a rereading replace the value itself; useDefaults writes into it, so it is a copy.
  const box = { value: structuredClone(value) }
  if (validate(box.value)) return box.value as T
  if (reread(box, yaml, place, validate.errors ?? []) && validate(box.value)) return box.value as T
  // What is wrong with a name is told once, by `propertyNames`.
  throw configInvalid((validate.errors ?? []).filter(({ propertyName }) => propertyName === undefined).map(error => problemOf(error, box.value, yaml, place)))
}

/** The value at a path; undefined becomes null. */
export function valueAt (value: Json, path: Path): Json {
  let at: unknown = value
  for (const step of path) at = typeof at === 'object' && at !== null && Object.hasOwn(at, step) ? (at as Record<string | number, unknown>)[step] : undefined
  return (at ?? null) as Json
}

/** `${PORT}` in quotes may be meant as a number, and `${PASSWORD}` without them as a text: the schema decides. */
function reread (box: { value: Json }, yaml: YamlFile, place: (path: Path) => Path, errors: readonly ErrorObject[]): boolean {
  let changed = false
  for (const error of errors) {
    const inside = pathOf(error.instancePath, box.value)
    const text = error.keyword === 'type' ? yaml.replaced.get(formatPath(place(inside))) : undefined
    if (text === undefined) continue
    const other = typeof error.data === 'string' ? coreScalar(text) : text
    const last = inside.at(-1)
    if (last === undefined) box.value = other
    else (valueAt(box.value, inside.slice(0, -1)) as Record<string | number, Json>)[last] = other
    changed = true
  }
  return changed
}

function problemOf (error: ErrorObject, value: Json, yaml: YamlFile, place: (path: Path) => Path): Problem {
  const inside = pathOf(error.instancePath, value)
  const params = error.params as Record<string, unknown>
  const property = params['missingProperty'] ?? params['additionalProperty'] ?? params['propertyName']
  const path = place(typeof property === 'string' ? [...inside, property] : inside)
  return yaml.problem(path, sentence(error, yaml.replaced.has(formatPath(path))))
}

type Params = Readonly<Record<string, unknown>>

/** Keywords whose sentence needs nothing but their parameters. */
const sentences: Readonly<Record<string, (params: Params) => string>> = {
  minimum: ({ limit }) => `must be at least ${limit}`,
  maximum: ({ limit }) => `must be at most ${limit}`,
  exclusiveMinimum: ({ limit }) => `must be above ${limit}`,
  exclusiveMaximum: ({ limit }) => `must be below ${limit}`,
  minLength: ({ limit }) => limit === 1 ? 'must not be empty' : `must have at least ${limit} characters`,
  maxLength: ({ limit }) => `must have at most ${limit} characters`,
  minItems: ({ limit }) => limit === 1 ? 'must not be empty' : `must have at least ${limit} items`,
  maxItems: ({ limit }) => `must have at most ${limit} items`,
  minProperties: ({ limit }) => limit === 1 ? 'must not be empty' : `must have at least ${limit} keys`,
  maxProperties: ({ limit }) => `must have at most ${limit} keys`,
  uniqueItems: ({ i, j }) => `items ${Math.min(Number(i), Number(j))} and ${Math.max(Number(i), Number(j))} are the same`,
  propertyNames: () => 'this name is not allowed; a name has small letters, digits and "_", 64 at most, and begins with no digit'
}

function sentence ({ keyword, params, parentSchema = {}, data }: ErrorObject, secret: boolean): string {
  const schema = parentSchema as { properties?: Record<string, { description?: string }>, writeOnly?: boolean, description?: string }
  const keys = Object.keys(schema.properties ?? {})
  switch (keyword) {
    case 'required': return `is missing${explained(schema.properties?.[params['missingProperty'] as string]?.description)}`
    case 'additionalProperties': return `unknown key${suggest(params['additionalProperty'] as string, keys)}`
    case 'type': return `must be ${typeNames(params['type'] as string | string[])}, not ${typeName(data)}`
    case 'enum': {
      const allowed = (params['allowedValues'] as unknown[]).filter(value => value !== null).map(String)
      return secret || schema.writeOnly === true || typeof data !== 'string'
        ? `must be one of ${allowed.join(', ')}`
        : `${quote(data)} is not allowed${suggest(data, allowed.map(value => value === '' ? 'empty' : value))}`
    }
    case 'pattern': return `must match ${params['pattern'] as string}${schema.description === undefined ? '' : ` (${schema.description.replace(/\.$/, '')})`}`
    default: return sentences[keyword]?.(params as Params) ?? 'is not as the schema demands'
  }
}

const explanationCharactersMax = 80

/** The first part of an option's description, to say what is missing. */
function explained (description = ''): string {
  const text = (/^[^:;.(]*/.exec(description)?.[0] ?? '').trim().slice(0, explanationCharactersMax)
  return text === '' ? '' : ` (${/^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text})`
}

const names: Readonly<Record<string, string>> = {
  string: 'a text', number: 'a number', integer: 'a whole number', boolean: 'true or false', array: 'a list', object: 'a map of keys', null: 'empty'
}

function typeNames (types: string | readonly string[]): string {
  return [types].flat().filter((type, _, all) => type !== 'null' || all.length === 1).map(type => names[type] ?? type).join(' or ')
}

function typeName (value: unknown): string {
  if (value === null || value === undefined) return 'empty'
  return names[Array.isArray(value) ? 'array' : typeof value] as string
}

/** ajv's JSON Pointer as a path; indexes are numbers where the value has a list. */
function pathOf (pointer: string, value: Json): Path {
  const path: Array<string | number> = []
  let at: unknown = value
  for (const step of pointer.split('/').slice(1)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
    path.push(Array.isArray(at) ? Number(key) : key)
    at = (at as Record<string, unknown> | undefined | null)?.[key]
  }
  return path
}
