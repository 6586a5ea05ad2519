import { PlatformError } from '../../../runtime/errors.ts'
import type { Column, Columns, DictionaryColumn } from '../../../runtime/batch.ts'
import type { Json } from '../../../runtime/plugin.ts'

/** Steps that each random walk is away from zero, by field. */
export type Walks = Readonly<Record<string, number>>

/** The configured fields, ready to make rows. */
export interface Template {
  /** Rows first, first + 1, … Every call goes on where the one before it ended. */
  make (first: number, length: number): Columns
  walks (): Walks
}

interface Generator {
  column (first: number, length: number): Column
  /** Only of a walk: all others know row n from n alone. */
  position? (): number
}

/** Row n is the same whenever it is made: chance comes from the seed, the field's name and n. */
export function template (fields: Readonly<Record<string, Json>>, seed: number, walks: Walks = {}): Template {
  const generators = Object.entries(fields).map(([name, spec]) => [name, generator(name, spec, seed, walks[name])] as const)
  if (generators.length === 0) fail('fields', 'has no field', 'Name at least one, such as n: { counter: 0 }.')
  return {
    make (first, length) {
      const columns: Record<string, Column> = Object.create(null)
      for (const [name, { column }] of generators) columns[name] = column(first, length)
      return columns
    },
    walks () {
      const positions: Record<string, number> = {}
      for (const [name, { position }] of generators) if (position !== undefined) positions[name] = position()
      return positions
    }
  }
}

function generator (name: string, spec: Json, seed: number, walked: number | undefined): Generator {
  if (typeof spec !== 'object' || spec === null) return constant(spec)
  const { counter, choice, walk, clock, step = undefined } = spec as Readonly<Record<string, Json>>
  const where = `fields.${name}`
  if (step !== undefined && (typeof step !== 'number' || step === 0)) fail(where, 'has a step that is no number other than 0')
  if (typeof counter === 'number') return counting(counter, typeof step === 'number' ? step : 1)
  if (Array.isArray(choice) && choice.length > 0) return choosing(choice, draws(seed, name))
  if (clock === 'ms') return ticking
  if (typeof walk === 'number') return walking(walk, typeof step === 'number' ? Math.abs(step) : 0.01, draws(seed, name), walked)
  fail(where, 'is no template', 'Give a constant, { counter: 0, step: 1 }, { choice: [a, b] }, { walk: 100, step: 0.01 } or { clock: ms }.')
}

function constant (value: Json): Generator {
  const values = [value]
  return { column: (_, length) => ({ kind: 'dictionary', codes: new Uint8Array(length), values }) }
}

function counting (from: number, step: number): Generator {
  return {
    column (first, length) {
      const numbers = new Float64Array(length)
      for (let i = 0; i < length; i++) numbers[i] = from + (first + i) * step
      return { kind: 'numbers', numbers }
    }
  }
}

/** When the row is made, ms since 1970: the one field that is not told by n. */
const ticking: Generator = { column: (_, length) => ({ kind: 'numbers', numbers: new Float64Array(length).fill(Date.now()) }) }

function choosing (values: readonly Json[], draw: (n: number) => number): Generator {
  return {
    column (first, length): DictionaryColumn {
      const codes = values.length <= 256 ? new Uint8Array(length) : new Int32Array(length)
      for (let i = 0; i < length; i++) codes[i] = draw(first + i) % values.length
      return { kind: 'dictionary', codes, values }
    }
  }
}

/** One step up or down a row, with the decimals of start and step. One that starts above zero turns around there. */
function walking (start: number, step: number, draw: (n: number) => number, walked: number | undefined): Generator {
  const scale = 10 ** Math.max(decimals(start), decimals(step))
  const unit = Math.round(step * scale)
  const lowest = start > 0 ? 0 : -Infinity
  let position = walked ?? 0
  let value = Math.round(start * scale) + position * unit
  return {
    position: () => position,
    column (first, length) {
      const numbers = new Float64Array(length)
      for (let i = 0; i < length; i++) {
        numbers[i] = value / scale
        const direction = (draw(first + i) & 1) === 0 || value - unit <= lowest ? 1 : -1
        position += direction
        value += direction * unit
      }
      return { kind: 'numbers', numbers }
    }
  }
}

function decimals (value: number): number {
  const [digits = '', exponent = '0'] = String(value).split('e')
  return Math.max(0, (digits.split('.')[1] ?? '').length - Number(exponent))
}

/** Chance without a state: an integer hash (the mixing steps of MurmurHash3) of seed, name and n. */
function draws (seed: number, name: string): (n: number) => number {
  let base = seed | 0
  for (let i = 0; i < name.length; i++) base = mix(base ^ name.charCodeAt(i))
  return n => mix(mix(base ^ Math.floor(n / 2 ** 32)) ^ (n | 0)) >>> 1
}

function mix (value: number): number {
  let h = value + 0x9e3779b9 | 0
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b)
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35)
  return h ^ h >>> 16
}

function fail (where: string, what: string, remedy?: string): never {
  throw new PlatformError('CONFIG_INVALID', `${where} ${what}.`, { where: 'input.generate', ...(remedy !== undefined && { remedy }) })
}
