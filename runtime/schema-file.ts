// schemas/<topic>.yaml: the one place that defines a topic.

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { PlatformError } from './errors.ts'
import { collect, configInvalid, quote, suggest } from './problems.ts'
import type { Problem } from './problems.ts'
import { checkCalendars, readRules } from './quality/rule-file.ts'
import type { RuleText } from './quality/rule-entry.ts'
import { EXTRA, isRejectedTopic, plainCast } from './schema.ts'
import type { CastRule, Field, Topic, Type } from './schema.ts'
import { topicForm } from './topic-form.ts'
import { parseType } from './type-text.ts'
import { checkYaml, readYaml } from './yaml.ts'
import type { YamlFile } from './yaml.ts'

export { formatType, parseType } from './type-text.ts'

interface FieldText {
  readonly type: string
  readonly required?: boolean
  readonly unit?: string
  readonly description?: string
  readonly low_cardinality?: boolean
  readonly aliases?: readonly string[]
  readonly cast?: Partial<Omit<CastRule, 'suffixes'>> & { readonly suffixes?: boolean | Readonly<Record<string, number>> }
}
interface TopicText {
  readonly description?: string
  readonly owner?: string
  readonly key?: readonly string[]
  readonly event_time?: string
  readonly partitions?: number
  readonly retention?: { readonly days?: number, readonly gigabytes?: number, readonly beyond_outputs?: boolean }
  readonly unique?: readonly string[]
  readonly realtime_period?: string
  readonly public?: boolean
  readonly quality?: readonly RuleText[]
  readonly fields: Readonly<Record<string, FieldText>>
}

const defaultRetention = { days: 7, gigabytes: 10, beyond_outputs: false }
const thousandMillionBillion = { K: 1e3, M: 1e6, B: 1e9 }
const dayMs = 86_400_000

/** Reads one schema; throws one CONFIG_INVALID that lists all that is wrong with it. */
export function readTopic (file: string, text: string): Topic {
  const yaml = readYaml(file, text)
  const topic = checkYaml<TopicText>(yaml, topicForm)
  const problems: Problem[] = []
  const name = basename(file, '.yaml')
  if (!/^[a-z_][a-z0-9_.-]{0,63}$/.test(name)) problems.push(yaml.problem([], `a topic's name (the file's name) begins with a small letter, then has small letters, digits, ".", "_" and "-", 64 at most; not ${quote(name)}`))
  if (isRejectedTopic(name)) problems.push(yaml.problem([], 'names that end with .rejected are reserved for refused rows'))

  const mandatory = new Set([...topic.key ?? [], topic.event_time ?? ''])
  const fields: Field[] = []
  for (const [name, text] of Object.entries(topic.fields)) {
    const field = readField(yaml, name, text, mandatory.has(name), problems)
    if (field !== undefined) fields.push(field)
  }
  checkNames(yaml, topic, problems)
  checkRoles(yaml, topic, fields, problems)
  const quality = readRules(yaml, topic.quality ?? [], { fields, key: topic.key ?? [], eventTime: topic.event_time ?? '' }, problems)
  if (problems.length > 0) throw configInvalid(problems)

  const { days, gigabytes, beyond_outputs: beyondOutputs } = { ...defaultRetention, ...topic.retention }
  const unhashed = {
    name,
    description: topic.description ?? '',
    owner: topic.owner ?? '',
    fields,
    key: topic.key ?? [],
    eventTime: topic.event_time ?? '',
    partitions: topic.partitions ?? 1,
    retention: { ms: days * dayMs, bytes: gigabytes * 2 ** 30, beyondOutputs },
    ...(topic.realtime_period !== undefined && { realtimeDays: Number.parseInt(topic.realtime_period) }),
    ...(topic.unique !== undefined && { unique: topic.unique }),
    ...(topic.public === true && { public: true as const }),
    ...(quality.length > 0 && { quality })
  }
  return { ...unhashed, hash: createHash('sha256').update(JSON.stringify(unhashed)).digest('hex').slice(0, 16) }
}

export interface Schemas {
  readonly schemas: Map<string, Topic>
  readonly problems: ReadonlyArray<{ readonly file: string, readonly error: PlatformError }>
}

/** All schemas of a folder, and what is wrong with the others. A folder that does not exist holds none. */
export async function readSchemaFolder (folder: string): Promise<Schemas> {
  const schemas = new Map<string, Topic>()
  const problems: Array<{ file: string, error: PlatformError }> = []
  for (const entry of await filesOf(folder)) {
    const file = `${basename(folder)}/${entry}`
    try {
      if (entry.endsWith('.yml')) throw new PlatformError('CONFIG_INVALID', `${file}: name it ${entry.slice(0, -4)}.yaml`)
      const text = await readFile(join(folder, entry), 'utf8')
      const topic = readTopic(file, text)
      await checkCalendars(join(folder, '..'), topic, () => readYaml(file, text))
      schemas.set(topic.name, topic)
    } catch (error) {
      problems.push({ file, error: error instanceof PlatformError ? error : new PlatformError('CONFIG_INVALID', `${file}: cannot be read`, { cause: error }) })
    }
  }
  return { schemas, problems }
}

/** All schemas of a folder, by topic. Throws when any is wrong. */
export async function readSchemas (folder: string): Promise<Map<string, Topic>> {
  const { schemas, problems } = await readSchemaFolder(folder)
  if (problems.length > 0) throw new PlatformError('CONFIG_INVALID', problems.map(({ error }) => error.message).join('\n'), { problems: problems.flatMap(({ error }) => error.problems ?? []) })
  return schemas
}

/** Names of the YAML files of a folder, sorted; hidden ones are left out. */
export async function filesOf (folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return entries.filter(entry => /^[^.].*\.ya?ml$/.test(entry)).sort()
}

function readField (yaml: YamlFile, name: string, text: FieldText, mandatory: boolean, problems: Problem[]): Field | undefined {
  const at = ['fields', name]
  if (name.startsWith('_')) problems.push(yaml.problem(at, 'names that begin with _ are reserved for the position of a row'))
  if (name === EXTRA) problems.push(yaml.problem(at, `the name ${EXTRA} is reserved for what a source sends and the schema does not know`))
  let type: Type
  try {
    type = parseType(text.type)
  } catch (error) {
    problems.push(yaml.problem([...at, 'type'], (error as Error).message))
    return undefined
  }
  if (text.low_cardinality === true && type.kind !== 'string') problems.push(yaml.problem([...at, 'low_cardinality'], 'is for the type string'))
  if (mandatory && text.required === false) problems.push(yaml.problem([...at, 'required'], 'fields of the key and the event time are always required'))
  const cast = collect(problems, () => readCast(yaml, at, type, text.cast ?? {}))
  return {
    name,
    type,
    required: mandatory || text.required === true,
    mandatory,
    description: text.description ?? '',
    unit: text.unit ?? '',
    lowCardinality: text.low_cardinality ?? false,
    aliases: text.aliases ?? [],
    cast: cast ?? plainCast
  }
}

/** What each key of a cast is for. */
const castUses = {
  prefixes: ['numbers', isNumber],
  suffixes: ['numbers', isNumber],
  thousands: ['numbers', isNumber],
  percent: ['decimals and floats', (type: Type) => type.kind === 'decimal' || type.kind === 'float32' || type.kind === 'float64'],
  unit: ['timestamps', (type: Type) => type.kind === 'timestamp'],
  zone: ['timestamps and dates', (type: Type) => type.kind === 'timestamp' || type.kind === 'date'],
  nulls: ['any type', () => true],
  excess: ['decimals and timestamps', (type: Type) => type.kind === 'timestamp' || type.kind === 'decimal']
} as const satisfies Record<keyof CastRule, readonly [string, (type: Type) => boolean]>

function readCast (yaml: YamlFile, at: readonly string[], type: Type, text: NonNullable<FieldText['cast']>): CastRule {
  const problems: Problem[] = []
  const problem = (key: string, message: string): void => { problems.push(yaml.problem([...at, 'cast', key], message)) }
  const inner = innermost(type)
  for (const key of Object.keys(text) as Array<keyof CastRule>) {
    const [use, fits] = castUses[key]
    if (!fits(inner)) problem(key, `is for ${use}, not for ${inner.kind}`)
  }
  const suffixes = typeof text.suffixes === 'object' ? text.suffixes : text.suffixes === true ? thousandMillionBillion : {}
  // A digit, sign or point in an affix could not be told from the number.
  for (const affix of text.prefixes ?? []) if (/[\d+.\s-]/.test(affix)) problem('prefixes', `${quote(affix)} holds a digit, a sign, a point or a space`)
  for (const affix of Object.keys(suffixes)) if (affix === '' || affix === '%' || /[\d+.\s-]/.test(affix)) problem('suffixes', `${quote(affix)} is empty, or holds a percent sign, a digit, a sign, a point or a space`)
  if (text.zone !== undefined && !isZone(text.zone)) problem('zone', `${quote(text.zone)} is no time zone; write an IANA name such as America/New_York or UTC`)
  if (problems.length > 0) throw configInvalid(problems)
  return { ...plainCast, ...text, suffixes }
}

function checkNames (yaml: YamlFile, { fields }: TopicText, problems: Problem[]): void {
  const owners = new Map<string, string>(Object.keys(fields).map(name => [name, name]))
  for (const [name, { aliases = [] }] of Object.entries(fields)) {
    for (const [i, alias] of aliases.entries()) {
      const owner = owners.get(alias)
      if (owner !== undefined) problems.push(yaml.problem(['fields', name, 'aliases', i], `${quote(alias)} is already a name of the field ${owner}`))
      else owners.set(alias, name)
    }
  }
}

function checkRoles (yaml: YamlFile, topic: TopicText, fields: readonly Field[], problems: Problem[]): void {
  const names = Object.keys(topic.fields)
  for (const role of ['key', 'unique'] as const) {
    for (const [i, name] of (topic[role] ?? []).entries()) {
      if (!Object.hasOwn(topic.fields, name)) problems.push(yaml.problem([role, i], `the schema has no field ${quote(name)}${suggest(name, names)}`))
      const kind = fields.find(field => field.name === name)?.type.kind
      if (kind === 'list' || kind === 'json') problems.push(yaml.problem([role, i], `a field of the type ${kind} cannot be in ${role === 'key' ? 'the key' : 'what names a row'}`))
    }
  }
  const { event_time: eventTime } = topic
  if (eventTime === undefined) return
  const kind = fields.find(field => field.name === eventTime)?.type.kind
  if (!Object.hasOwn(topic.fields, eventTime)) problems.push(yaml.problem(['event_time'], `the schema has no field ${quote(eventTime)}${suggest(eventTime, names)}`))
  else if (kind !== undefined && kind !== 'timestamp' && kind !== 'date') problems.push(yaml.problem(['event_time'], `must be a field of the type timestamp or date; ${eventTime} is ${kind}`))
}

function innermost (type: Type): Type {
  return type.kind === 'list' ? innermost(type.of) : type
}

function isNumber ({ kind }: Type): boolean {
  return kind === 'decimal' || /^(?:u?int|float)\d+$/.test(kind)
}

function isZone (zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) !== undefined
  } catch {
    // A RangeError is the answer.
    return false
  }
}
