// Casts values in every shape that a raw column can have, and insists that the shape makes no difference.

import { deepStrictEqual } from 'node:assert/strict'
import { Batch, cell } from '../../../runtime/batch.ts'
import { FrameWriter, decodeFrame } from '../../../runtime/broker/frame.ts'
import { Caster } from '../../../runtime/cast/cast.ts'
import { field, plainCast } from '../../../runtime/schema.ts'
import { fakeTopic } from '../../conform/context.ts'
import type { Column } from '../../../runtime/batch.ts'
import type { CastRule, Field, Type } from '../../../runtime/schema.ts'

/** A cell, or why there is none. */
export type Outcome = { readonly cell: unknown } | { readonly refused: string }

export interface CastOptions extends Partial<CastRule> { readonly mandatory?: boolean }

export function fieldOf (type: Type, { mandatory = false, ...rule }: CastOptions = {}): Field {
  return field('x', type, { mandatory, cast: { ...plainCast, ...rule } })
}

/** What `type` makes of each value, the same in all shapes. */
export function castAll (type: Type, values: readonly unknown[], options: CastOptions = {}): Outcome[] {
  const caster = new Caster(fieldOf(type, options))
  const outcomes = Object.entries(shapesOf(values)).map(([shape, column]) => [shape, castColumn(caster, column, values.length)] as const)
  const [, expected] = outcomes[0] as readonly [string, Outcome[]]
  for (const [shape, outcome] of outcomes.slice(1)) deepStrictEqual(outcome, expected, `the ${shape} shape differs`)
  return expected
}

/** What becomes of one value among nulls: the cell, or the words that refuse it. */
export function cast (type: Type, value: unknown, options: CastOptions = {}): unknown {
  const [, outcome] = castAll(type, [null, value, null, value], { ...options, mandatory: false }) as [Outcome, Outcome]
  return 'cell' in outcome ? outcome.cell : { refused: outcome.refused }
}

export function castColumn (caster: Caster, column: Column | undefined, rows: number): Outcome[] {
  const refused = new Map<number, string>()
  const typed = caster.cast(column, rows, {
    add: (i, _, fault, path = '') => { refused.set(i, [...refused.has(i) ? [refused.get(i)] : [], `${path}${path && ' '}${fault}`].join('; ')) }
  })
  return Array.from({ length: rows }, (_, i) => {
    const fault = refused.get(i)
    return fault === undefined ? { cell: cell(typed, i) } : { refused: fault }
  })
}

const writer = new FrameWriter()

/** The same rows as the embedded broker hands them over. */
export function throughTopic (batch: Batch): Batch {
  return batch.with(decodeFrame(Uint8Array.from(writer.encode(batch)), 'test').columns)
}

/** The shapes that can hold the values. */
export function shapesOf (values: readonly unknown[]): Record<string, Column> {
  const valid = Uint8Array.from(values, value => value === null ? 0 : 1)
  const masked = valid.includes(0) ? { valid } : {}
  const shapes: Record<string, Column> = { values: { kind: 'values', values } }
  // Codes in a small dictionary, and in one that has more entries than there are rows.
  shapes['dictionary'] = { kind: 'dictionary', codes: Uint16Array.from(values, (_, i) => values.length - 1 - i), values: values.toReversed() }
  shapes['large dictionary'] = { kind: 'dictionary', codes: Uint16Array.from(values, (_, i) => i + 2), values: ['unused', 1, ...values] }
  if (values.every(value => value === null || (typeof value === 'string' && value.isWellFormed()))) {
    shapes['text'] = { ...textColumn(values.map(value => value as string | null ?? '')), ...masked }
  }
  if (values.every(value => value === null || typeof value === 'number')) {
    shapes['numbers'] = { kind: 'numbers', numbers: Float64Array.from(values, value => value as number | null ?? NaN), ...masked }
  }
  if (values.every(survivesJson)) {
    shapes['topic'] = throughTopic(new Batch(fakeTopic(), values.length, { x: shapes['values'] as Column })).columns['x'] as Column
  }
  return shapes
}

/** What a frame keeps apart: no big integers, NaN and infinities, which it holds as text. */
function survivesJson (value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  return typeof value === 'string' || typeof value === 'boolean' || value === null
}

/** Texts as the broker lays them out, but not from the first byte on. */
export function textColumn (texts: readonly string[]): Column & { kind: 'text' } {
  const offsets = new Int32Array(texts.length + 1).fill(3)
  texts.forEach((text, i) => { offsets[i + 1] = (offsets[i] as number) + Buffer.byteLength(text) })
  return { kind: 'text', offsets, bytes: Buffer.from(`...${texts.join('')}...`) }
}
