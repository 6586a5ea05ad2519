// A schema for rows that nobody has described yet. What the rows show is filled in; what they cannot show, such as what a
// field means, is left as a question; and where they allow two readings, a note says which one was taken and why.

import { stringify } from 'yaml'
import { PlatformError } from '../errors.ts'
import { readTopic } from '../schema-file.ts'
import { fieldGuess } from './field-guess.ts'
import { unitOf } from './unit-guess.ts'
import type { Json, Row } from '../plugin.ts'
import type { FieldGuess } from './field-guess.ts'

export const PROPOSED_ROWS_MAX = 10_000
const FIELDS_MAX = 500
/** Rows from which on values that never are missing make a field a required one. */
const REQUIRED_ROWS_MIN = 3

export interface ProposedField {
  readonly name: string
  /** As the source calls it. */
  readonly source: string
  readonly type: string
  readonly required: boolean
  readonly unit: string
  /** A few of its values, as text. */
  readonly examples: readonly string[]
}

export interface Proposal {
  readonly path: string
  /** YAML of the schema; it passes the check of schemas. */
  readonly text: string
  readonly fields: readonly ProposedField[]
  /** What somebody should look at: a sentence each. */
  readonly notes: readonly string[]
}

/** Throws REQUEST_INVALID where there is nothing to propose. */
export function proposeSchema (topic: string, rows: readonly Row[]): Proposal {
  const sources = [...new Set(rows.flatMap(row => Object.keys(row)))]
  if (sources.length === 0) throw new PlatformError('REQUEST_INVALID', 'The rows have no fields', { remedy: 'Send rows as the source gives them.' })
  if (sources.length > FIELDS_MAX) throw new PlatformError('REQUEST_INVALID', `The rows have ${sources.length} different fields, and ${FIELDS_MAX} at most are proposed`, { remedy: 'Where the names of fields are values, make rows of them first.' })
  const notes: string[] = []
  const names = namesFor(sources, notes)
  const guesses = sources.map(source => ({ source, name: names.get(source) as string, guess: fieldGuess(names.get(source) as string, rows.map(row => row[source] as Json | undefined)) }))
  for (const { name, guess } of guesses) notes.push(...guess.notes.map(note => `${name}: ${note}`))
  const eventTime = eventTimeOf(guesses, notes)
  const key = keyOf(guesses, rows, notes)
  const mandatory = new Set([...key, ...eventTime === undefined ? [] : [eventTime]])
  const fields = guesses.map(({ source, name, guess }) => {
    const required = mandatory.has(name) || (rows.length >= REQUIRED_ROWS_MIN && guess.missing === 0)
    return { source, name, guess, required, unit: guess.cast?.['unit'] === undefined || typeof guess.cast['unit'] !== 'string' || guess.cast['unit'] === 'iso' ? unitOf(name, guess.type) : guess.cast['unit'] }
  })
  if (rows.length < REQUIRED_ROWS_MIN) notes.push(`Only ${rows.length} rows were seen: no field but those of the key and the event time is required.`)
  const path = `schemas/${topic}.yaml`
  const text = `# Proposed from ${rows.length} rows. Say what each field means; the questions stand where the rows do not tell.\n${stringify({
    description: 'What does a row say, and when does the source send one?',
    owner: '',
    ...(key.length > 0 && { key }),
    ...(eventTime !== undefined && { event_time: eventTime }),
    fields: Object.fromEntries(fields.map(field => [field.name, yamlOf(field)]))
  }, { lineWidth: 0 })}`
  // What is proposed here is a schema that would be taken.
  readTopic(path, text)
  return { path, text, notes, fields: fields.map(({ name, source, guess, required, unit }) => ({ name, source, type: guess.type, required, unit, examples: guess.examples })) }
}

interface NamedGuess {
  readonly source: string
  readonly name: string
  readonly guess: FieldGuess
}

function yamlOf ({ source, name, guess, required, unit }: NamedGuess & { readonly required: boolean, readonly unit: string }): Record<string, unknown> {
  return {
    type: guess.type,
    ...(required && { required }),
    ...(unit !== '' && { unit }),
    description: `What is ${name}? Such as ${guess.examples.slice(0, 2).join(', ') || 'no value so far'}`,
    ...(guess.lowCardinality && { low_cardinality: true }),
    ...(source !== name && { aliases: [source] }),
    ...(guess.cast !== undefined && { cast: guess.cast })
  }
}

/** Names as schemas have them: `bidSize` and `Bid Size` are bid_size; two that fall together get numbers. */
function namesFor (sources: readonly string[], notes: string[]): Map<string, string> {
  const names = new Map<string, string>()
  const taken = new Set<string>()
  // A source's own name that fits goes first: an alias of another field must not be the name of one.
  const isPlain = (source: string): boolean => /^[a-z][a-z0-9_]{0,59}$/.test(source) && source !== 'extra' && !source.endsWith('_') && !source.includes('__')
  for (const source of sources.filter(isPlain)) {
    names.set(source, source)
    taken.add(source)
  }
  for (const source of sources.filter(source => !isPlain(source))) {
    const plain = source.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '')
    const base = (/^[a-z]/.test(plain) ? plain : `field_${plain}`).slice(0, 60).replace(/_+$/, '')
    const free = base === 'extra' ? 'extra_field' : base
    let name = free
    for (let n = 2; taken.has(name); n++) name = `${free}_${n}`
    taken.add(name)
    names.set(source, name)
    if (/^field(?:_\d*)?$/.test(name) || name !== free) notes.push(`${name}: the source calls it ${JSON.stringify(source)}; give it a name that says what it is.`)
  }
  return names
}

const timeNames = [/^event_?time$/, /^(?:ts|time|timestamp|datetime)$/, /event/, /^_?updated/, /exchange_time|source_time/, /time|_at$|^date$|_ts$|updated/]

function eventTimeOf (guesses: readonly NamedGuess[], notes: string[]): string | undefined {
  const times = guesses.filter(({ guess: { type, missing } }) => missing === 0 && (type.startsWith('timestamp') || type === 'date'))
  if (times.length === 0) {
    notes.push('No field that every row has is a time: the time of arrival counts as the event time. Set event_time where a field says when it happened.')
    return undefined
  }
  const rank = ({ name, guess }: NamedGuess): number => {
    const at = timeNames.findIndex(pattern => pattern.test(name))
    return (at < 0 ? timeNames.length : at) + (guess.type === 'date' ? 0.5 : 0) + (/receiv|ingest|arriv|creat|insert/.test(name) ? timeNames.length : 0)
  }
  const [first, ...others] = times.toSorted((a, b) => rank(a) - rank(b))
  if (others.length > 0) notes.push(`event_time: ${first?.name} was taken; ${others.map(({ name }) => name).join(', ')} could be it, too.`)
  return first?.name
}

const keyNames = [/^(?:symbol|ticker|instrument|isin|figi|ric|pair|conid|contract|security|product)$/, /(?:^|_)(?:symbol|ticker|instrument|isin|pair)(?:_id)?$/, /^(?:market|exchange|account|sensor|device|station)(?:_id)?$/]

/** What rows are about, such as an instrument: a text or whole number with few values, by its name. */
function keyOf (guesses: readonly NamedGuess[], rows: readonly Row[], notes: string[]): string[] {
  const fitting = guesses.filter(({ guess: { type, missing } }) => missing === 0 && (type === 'string' || type.startsWith('int')))
  for (const pattern of keyNames) {
    const [found, ...others] = fitting.filter(({ name }) => pattern.test(name))
    if (found === undefined) continue
    if (others.length > 0) notes.push(`key: ${found.name} was taken; ${others.map(({ name }) => name).join(', ')} could be it, too.`)
    return [found.name]
  }
  const repeated = fitting.find(({ guess }) => guess.lowCardinality && guess.distinct < rows.length / 2)
  notes.push(`key: no field names an instrument or another thing that rows are about${repeated === undefined ? '' : `; is it ${repeated.name}?`} Rows of one key keep their order.`)
  return []
}
