// What a saved query or an export asks, checked for its form: `{ "kind": "bars", "dataset": "quotes", "every": "5m", … }`.

import { Ajv } from 'ajv'
import { bodySchema } from '../control/data-form.ts'
import { kindProperties } from '../control/data-kinds.ts'
import { kindNames, kinds } from '../data/kinds.ts'
import { PlatformError } from '../errors.ts'
import type { ValidateFunction } from 'ajv'
import type { Asker, Wish } from '../data/answer.ts'
import type { KindName } from '../data/kinds.ts'
import type { Params } from '../data/spec.ts'
import type { Platform } from '../platform.ts'

/** Flat: parameters have the names that they have in the data API. */
export type QuerySpec = Readonly<Record<string, unknown>> & { readonly kind: KindName, readonly dataset: string }

interface Checks { readonly exact: ValidateFunction, readonly coerced: ValidateFunction }

const [exact, coercing] = [false, true].map(coerceTypes => new Ajv({ coerceTypes, allErrors: true, strictTypes: false })) as [Ajv, Ajv]
const checks = Object.fromEntries(kindNames.map((kind): [string, Checks] => {
  const { properties, required } = kindProperties[kind]
  const schema = { ...bodySchema(properties), required }
  return [kind, { exact: exact.compile(schema), coerced: coercing.compile(schema) }]
})) as Readonly<Record<KindName, Checks>>

/** All parameters that any kind takes, for the description of a route. */
export const anyProperties: Readonly<Record<string, object>> = Object.assign({}, ...kindNames.map(kind => kindProperties[kind].properties)) as Record<string, object>

/** The parameters of a spec, without its kind and dataset; throws REQUEST_INVALID where they are not those of the kind. */
export function paramsOf (spec: QuerySpec, { fromText = false } = {}): Params {
  const { kind, dataset, ...rest } = spec
  const check = (checks as Partial<typeof checks>)[kind]
  if (check === undefined) throw new PlatformError('REQUEST_INVALID', `There is no kind of query ${JSON.stringify(kind)}`, { remedy: `There are ${kindNames.join(', ')}.` })
  const params = kind === 'join' ? { left: dataset, ...rest } : rest
  const validate = fromText ? check.coerced : check.exact
  if (validate(params)) return params as Params
  const problems = (validate.errors ?? []).slice(0, 10).map(({ instancePath, message, params }) => `${instancePath === '' ? 'it' : instancePath.slice(1)} ${message ?? 'is wrong'}${typeof params['additionalProperty'] === 'string' ? `: ${params['additionalProperty']}` : ''}`)
  throw new PlatformError('REQUEST_INVALID', `The query of the kind ${kind} is wrong: ${problems.join('; ')}`)
}

/** The part of an answer that a spec decides. */
export function wishOf (platform: Platform, asker: Asker, spec: QuerySpec, params: Params): Pick<Wish<Params>, 'about' | 'make' | 'principal' | 'signal'> {
  return kinds[spec.kind](platform, asker, spec.dataset, params)
}

/** Throws what the question itself would: NOT_FOUND, REQUEST_INVALID. Reads no row. */
export async function checkSpec (platform: Platform, asker: Asker, spec: QuerySpec): Promise<void> {
  const params = paramsOf(spec)
  const question = await wishOf(platform, asker, spec, params).make(params, undefined)
  question.compile({ format: 'ndjson', rows: 1 })
}
