import { isAscii } from 'node:buffer'
import { cell } from '../../../runtime/batch.ts'
import { NOT_PRESENT } from '../../../runtime/schema.ts'
import { operandFor } from './operand.ts'
import type { Column, DecimalColumn, TextColumn } from '../../../runtime/batch.ts'
import type { Batch } from '../../../runtime/plugin.ts'
import type { Type } from '../../../runtime/schema.ts'
import type { Operand } from './operand.ts'

/** What has to hold for one field; several operators hold together. */
export interface Condition {
  readonly field: string
  readonly equals?: Operand
  readonly not_equals?: Operand
  readonly in?: readonly Operand[]
  readonly not_in?: readonly Operand[]
  readonly above?: string | number
  readonly below?: string | number
  readonly at_least?: string | number
  readonly at_most?: string | number
  readonly matches?: string
  readonly present?: boolean
}

/** Whether a value fits; null stands for no value. */
type Test = (value: unknown) => boolean

/** 1 for every row for which the condition holds. */
export function mark (batch: Batch, condition: Condition): Uint8Array {
  const holds = new Uint8Array(batch.length)
  const column = Object.hasOwn(batch.columns, condition.field) ? batch.columns[condition.field] : undefined
  const test = testOf(condition, column?.type)
  if (column === undefined) return holds.fill(Number(test(null)))
  markColumn(column, test, holds)
  if (column.valid !== undefined) {
    const none = Number(test(null))
    for (let i = 0; i < holds.length; i++) if (column.valid[i] === 0) holds[i] = none
  }
  return holds
}

function markColumn (column: Column, test: Test, holds: Uint8Array): void {
  switch (column.kind) {
    case 'dictionary': {
      // Once a value, however many rows have it.
      const table = Uint8Array.from(column.values, value => Number(test(present(value))))
      for (let i = 0; i < holds.length; i++) holds[i] = table[column.codes[i] as number] ?? 0
      return
    }
    case 'numbers':
      for (let i = 0; i < holds.length; i++) holds[i] = Number(test(column.numbers[i]))
      return
    case 'decimal':
      for (let i = 0; i < holds.length; i++) holds[i] = Number(test(unscaled(column, i)))
      return
    case 'text':
      markText(column, test, holds)
      return
    case 'values':
      for (let i = 0; i < holds.length; i++) holds[i] = Number(test(present(column.values[i])))
      return
    case 'list':
      for (let i = 0; i < holds.length; i++) holds[i] = Number(test(cell(column, i)))
  }
}

function markText ({ offsets, bytes }: TextColumn, test: Test, holds: Uint8Array): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const ascii = isAscii(buffer) ? buffer.toString('latin1') : undefined
  for (let i = 0; i < holds.length; i++) {
    const text = ascii?.slice(offsets[i], offsets[i + 1]) ?? buffer.toString('utf8', offsets[i], offsets[i + 1])
    holds[i] = Number(test(present(text)))
  }
}

function unscaled ({ words }: DecimalColumn, i: number): bigint {
  return (BigInt.asIntN(64, words[2 * i + 1] as bigint) << 64n) | (words[2 * i] as bigint)
}

/** What a connector writes for a missing field is no value. */
function present (value: unknown): unknown {
  return value === undefined || value === NOT_PRESENT ? null : value
}

function testOf (condition: Condition, type: Type | undefined): Test {
  const tests: Test[] = []
  const compare = (operand: Operand): ((value: unknown) => number) => operandFor(operand, type, condition.field)
  const equal = (operand: Operand): Test => {
    const order = compare(operand)
    return value => value !== null && order(value) === 0
  }
  const order = (operand: Operand | undefined, holds: (sign: number) => boolean): void => {
    if (operand === undefined) return
    const sign = compare(operand)
    tests.push(value => value !== null && holds(sign(value)))
  }

  if (condition.equals !== undefined) tests.push(equal(condition.equals))
  if (condition.not_equals !== undefined) tests.push(not(equal(condition.not_equals)))
  if (condition.in !== undefined) tests.push(oneOf(condition.in.map(equal)))
  if (condition.not_in !== undefined) tests.push(not(oneOf(condition.not_in.map(equal))))
  order(condition.above, sign => sign > 0)
  order(condition.below, sign => sign < 0)
  order(condition.at_least, sign => sign >= 0)
  order(condition.at_most, sign => sign <= 0)
  if (condition.matches !== undefined) tests.push(pattern(condition.matches))
  if (condition.present !== undefined) {
    const wanted = condition.present
    tests.push(value => (value !== null) === wanted)
  }
  return tests.length === 1 ? tests[0] as Test : value => tests.every(test => test(value))
}

function not (test: Test): Test {
  return value => !test(value)
}

function oneOf (tests: readonly Test[]): Test {
  return value => tests.some(test => test(value))
}

/**
 * A text that fits as a whole; `*` stands for any characters. The parts between the stars are looked for one after the
 * other, so that no text and no pattern makes it slow, as a regular expression could be made.
 */
export function pattern (glob: string): Test {
  const parts = glob.split('*')
  const first = parts[0] as string
  const last = parts.at(-1) as string
  const middle = parts.slice(1, -1).filter(part => part !== '')
  return value => {
    if (typeof value !== 'string') return false
    if (parts.length === 1) return value === glob
    if (value.length < first.length + last.length || !value.startsWith(first) || !value.endsWith(last)) return false
    let at = first.length
    for (const part of middle) {
      const found = value.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return at <= value.length - last.length
  }
}
