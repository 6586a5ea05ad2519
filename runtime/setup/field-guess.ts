// The type of one field, from values as a source sends them. It is the narrowest one that every value fits, with room: a
// price that happened to be whole is a decimal when its neighbours are, and a code with leading zeros is a text.

import { isMoney } from './unit-guess.ts'
import type { Json } from '../plugin.ts'

export interface FieldGuess {
  /** As schemas write it. */
  readonly type: string
  /** Keys of `cast:`; undefined: none is needed. */
  readonly cast: Readonly<Record<string, Json>> | undefined
  /** Rows without a value. */
  readonly missing: number
  readonly distinct: number
  readonly lowCardinality: boolean
  readonly examples: readonly string[]
  readonly notes: readonly string[]
}

const EXAMPLES = 3
const exampleCharacters = 40
/** Words that sources send for "nothing". */
const nullWords = new Set(['', 'null', 'NULL', 'N/A', 'n/a', 'NaN', 'nan', '-', '--', 'None', 'none'])

const wholeNumber = /^[+-]?(?:0|[1-9]\d*)$/
const plainNumber = /^[+-]?(?:0|[1-9]\d*)?(?:\.\d+|(?<=\d)\.)?(?:[eE][+-]?\d+)?$/
const thousands = /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/
const percent = /^[+-]?\d+(?:\.\d+)?%$/
const suffixed = /^[+-]?\d+(?:\.\d+)?[KMB]$/
const prefixed = /^([A-Z])\d+(?:\.\d+)?$/
const isoDate = /^\d{4}-\d{2}-\d{2}$/
const isoTime = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?$/
const timeName = /time|date|(?:^|_)(?:ts|at|updated|since|until|expiry|when)(?:_|$)/

/** `values` of all rows; undefined and null: the row has none. */
export function fieldGuess (name: string, values: ReadonlyArray<Json | undefined>): FieldGuess {
  const found = values.filter(value => value !== undefined && value !== null)
  const texts = found.map(value => typeof value === 'object' ? JSON.stringify(value) : String(value))
  const nulls = [...new Set(texts.filter((text, i) => typeof found[i] === 'string' && nullWords.has(text.trim())))]
  const real = found.filter((value, i) => !(typeof value === 'string' && nulls.includes(texts[i] as string)))
  const distinct = new Set(texts).size
  const guess = guessOf(name, real)
  const notes = [...guess.notes]
  if (real.length === 0) notes.push('no row has a value: the type is a guess')
  // An own word for nothing is one more text where the field is a text.
  const cast = { ...guess.cast, ...(nulls.length > 0 && guess.type !== 'string' && { nulls }) }
  if (nulls.length > 0 && guess.type !== 'string') notes.push(`${nulls.map(text => JSON.stringify(text)).join(', ')} is taken for no value`)
  return {
    type: guess.type,
    cast: Object.keys(cast).length === 0 ? undefined : cast,
    missing: values.length - real.length,
    distinct,
    lowCardinality: guess.type === 'string' && found.length >= 10 && distinct <= Math.max(2, found.length / 5),
    examples: [...new Set(texts)].slice(0, EXAMPLES).map(text => text.length > exampleCharacters ? `${text.slice(0, exampleCharacters)}…` : text),
    notes
  }
}

interface Guess {
  readonly type: string
  readonly cast?: Readonly<Record<string, Json>>
  readonly notes: readonly string[]
}

function guessOf (name: string, values: readonly Json[]): Guess {
  const kinds = new Set(values.map(value => Array.isArray(value) ? 'array' : typeof value))
  if (values.length === 0) return { type: 'string', notes: [] }
  if (kinds.has('object')) return { type: 'json', notes: kinds.size > 1 ? ['objects and other values stand side by side'] : [] }
  if (kinds.has('array')) return kinds.size > 1 ? { type: 'json', notes: ['lists and other values stand side by side'] } : listOf(name, values as ReadonlyArray<readonly Json[]>)
  if (kinds.size === 1 && kinds.has('boolean')) return { type: 'bool', notes: [] }
  if (kinds.has('boolean')) return { type: 'string', notes: ['true or false and other values stand side by side: taken as text'] }
  const texts = values.map(value => String(value).trim())
  const mixed = kinds.size > 1 ? ['some rows send a number and others a text'] : []
  const time = timeOf(name, texts, kinds)
  if (time !== undefined) return { ...time, notes: [...mixed, ...time.notes] }
  const number = numberOf(name, texts, kinds.has('string'))
  if (number !== undefined) return { ...number, notes: [...mixed, ...number.notes] }
  if (texts.every(text => /^(?:true|false)$/i.test(text))) return { type: 'bool', notes: ['true and false come as text'] }
  const numbers = texts.filter(text => plainNumber.test(text) && /\d/.test(text)).length
  return { type: 'string', notes: numbers > 0 && numbers < texts.length ? [`${numbers} of ${texts.length} values are numbers and the others are not: taken as text`] : mixed }
}

function listOf (name: string, lists: ReadonlyArray<readonly Json[]>): Guess {
  const items = lists.flat().filter(item => item !== null)
  if (items.some(item => typeof item === 'object')) return { type: 'json', notes: ['a list of objects or lists is kept as JSON'] }
  const { type, notes } = guessOf(name, items)
  return /^(?:string|bool|int64|float64)$/.test(type) ? { type: `list(${type})`, notes } : { type: 'list(string)', notes: [...notes, 'the items of the list are taken as text'] }
}

/** Digits of a whole number that counts time since 1970, by unit, for the years 2001 to 2286. */
const epochs = [[10, 's'], [13, 'ms'], [16, 'us'], [19, 'ns']] as const

function timeOf (name: string, texts: readonly string[], kinds: ReadonlySet<string>): Guess | undefined {
  if (texts.every(text => isoDate.test(text))) return { type: 'date', notes: [] }
  const iso = texts.map(text => isoTime.exec(text))
  if (iso.some(match => match !== null)) {
    if (iso.some((match, i) => match === null && !isoDate.test(texts[i] as string))) return epochMixture(name, texts)
    const digits = Math.max(0, ...iso.map(match => match?.[1]?.length ?? 0))
    const bare = iso.some(match => match !== null && match[2] === undefined)
    return { type: `timestamp(${digits <= 3 ? 'ms' : digits <= 6 ? 'us' : 'ns'})`, notes: bare ? ['the times carry no zone: UTC is taken; set cast.zone where they are local ones'] : [] }
  }
  if (!timeName.test(name) || !texts.every(text => wholeNumber.test(text))) return undefined
  const unit = epochs.find(([digits]) => texts.every(text => text.length === digits))?.[1]
  if (unit === undefined) return undefined
  return { type: `timestamp(${unit})`, cast: { unit }, notes: [`whole numbers of ${epochs.find(([, one]) => one === unit)?.[0]} digits are taken for ${unit} since 1970${kinds.has('string') ? ', sent as text' : ''}`] }
}

/** Some rows say the time one way and others another way: no cast takes both, so that is for a person to settle. */
function epochMixture (name: string, texts: readonly string[]): Guess | undefined {
  const others = texts.filter(text => !isoTime.test(text) && !isoDate.test(text))
  if (!timeName.test(name) && !others.every(text => wholeNumber.test(text))) return undefined
  return { type: 'string', notes: [`times come in several forms, such as ${JSON.stringify(texts.find(text => isoTime.test(text)))} and ${JSON.stringify(others[0])}: taken as text, because one cast cannot take all of them`] }
}

const int64 = 2n ** 63n

function numberOf (name: string, texts: readonly string[], asText: boolean): Guess | undefined {
  const cast: Record<string, Json> = {}
  const notes: string[] = []
  const letters = new Set<string>()
  const plain = texts.map(text => {
    const letter = prefixed.exec(text)?.[1]
    // A letter before some numbers only is a mark; before all of them it is a code.
    if (letter !== undefined) letters.add(letter)
    const bare = letter === undefined ? text : text.slice(1)
    if (thousands.test(bare)) cast['thousands'] = ','
    else if (percent.test(bare)) cast['percent'] = 'number'
    else if (suffixed.test(bare)) cast['suffixes'] = true
    return thousands.test(bare) ? bare.replaceAll(',', '') : percent.test(bare) || suffixed.test(bare) ? bare.slice(0, -1) : bare
  })
  if (!plain.every(text => plainNumber.test(text) && /\d/.test(text))) return undefined
  if (letters.size > 0 && texts.every(text => prefixed.test(text))) return undefined
  if (letters.size > 0) {
    cast['prefixes'] = [...letters].sort()
    notes.push(`the letters ${[...letters].sort().join(', ')} before some numbers are dropped: do they mean something?`)
  }
  if (asText && Object.keys(cast).length === 0) notes.push('numbers come as text')
  if (cast['thousands'] !== undefined) notes.push('a comma is taken for the separator of thousands')
  if (cast['percent'] !== undefined) notes.push('12.5% becomes 12.5; set cast.percent to fraction for 0.125')
  if (cast['suffixes'] !== undefined) notes.push('K, M and B are taken for thousands, millions and billions: the numbers are rounded ones')
  const type = numberType(name, plain, cast, notes)
  return { type, cast: type === 'string' ? {} : cast, notes }
}

function numberType (name: string, plain: readonly string[], cast: Readonly<Record<string, Json>>, notes: string[]): string {
  if (cast['percent'] !== undefined || cast['suffixes'] !== undefined || plain.some(text => /e/i.test(text))) return 'float64'
  const whole = Math.max(...plain.map(text => text.replace(/^[+-]/, '').split('.')[0]?.length ?? 0))
  const digits = Math.max(...plain.map(text => text.split('.')[1]?.length ?? 0))
  if (digits === 0 && !isMoney(name)) {
    if (plain.every(text => { const value = BigInt(text); return value < int64 && value >= -int64 })) return 'int64'
    notes.push('whole numbers beyond 64 bits are taken as text')
    return 'string'
  }
  // With room for prices that are larger or finer than those of the sample.
  if (digits <= 8 && whole <= 10) return 'decimal(18, 8)'
  if (digits <= 12 && whole <= 26) return 'decimal(38, 12)'
  notes.push('the numbers have more digits than a decimal holds: taken as float64')
  return 'float64'
}
