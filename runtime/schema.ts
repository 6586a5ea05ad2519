import type { QualityRule } from './quality/rule.ts'

/** What a connector writes into a required field that its source does not have; the mapping turns it into null. */
export const NOT_PRESENT = 'not present in source system'

/** The field that keeps, as one object, what a source sends and the topic schema does not know. */
export const EXTRA = 'extra'

export type IntegerKind = 'int8' | 'int16' | 'int32' | 'int64' | 'uint8' | 'uint16' | 'uint32' | 'uint64'
export type TimeUnit = 's' | 'ms' | 'us' | 'ns'

/** A destination type. In YAML: `string`, `decimal(18, 8)`, `timestamp(ns)`, `enum(buy, sell)`, `list(float64)`. */
export type Type =
  | { readonly kind: 'string' | 'bool' | 'float32' | 'float64' | 'date' | 'json' | IntegerKind }
  | { readonly kind: 'decimal', readonly precision: number, readonly scale: number }
  | { readonly kind: 'timestamp', readonly unit: TimeUnit }
  | { readonly kind: 'enum', readonly values: readonly string[] }
  | { readonly kind: 'list', readonly of: Type }

/** How the text of a source becomes a value. Everything that is not allowed here makes the row a rejected one. */
export interface CastRule {
  /** Letters that a source puts before a number and that carry no value, such as `C` for a previous close. */
  readonly prefixes: readonly string[]
  /** Letters after a number and what each multiplies by, such as `K: 1000`. */
  readonly suffixes: Readonly<Record<string, number>>
  /** The separator of thousands, such as `,`; empty: none is allowed. */
  readonly thousands: string
  /** `12.5%` becomes 0.125 (fraction) or 12.5 (number); empty: a percent sign is an error. */
  readonly percent: '' | 'fraction' | 'number'
  /** Of a timestamp sent as a number; `iso`: only ISO 8601 text is taken. A number without a unit is ambiguous, so there is no guessing. */
  readonly unit: TimeUnit | 'iso'
  /** IANA zone of ISO 8601 text that carries no offset. */
  readonly zone: string
  /** Texts that mean null besides `not present in source system`, such as `N/A` or the empty text. */
  readonly nulls: readonly string[]
  /** Digits beyond the scale of a decimal or the precision of a timestamp: refuse the row, or round half even. */
  readonly excess: 'reject' | 'round'
}

export interface Field {
  readonly name: string
  readonly type: Type
  /** The topic check demands the field; the connector fills it with `NOT_PRESENT` where the source lacks it. */
  readonly required: boolean
  /** Never null in a destination: fields of the key and the event time. A row without it is rejected by the mapping. */
  readonly mandatory: boolean
  readonly description: string
  /** Of the value, such as `USD`, `shares`, `ms`. */
  readonly unit: string
  /** A text with few different values: stored once and referred to. */
  readonly lowCardinality: boolean
  /** Names under which sources send the field. */
  readonly aliases: readonly string[]
  readonly cast: CastRule
}

/** A topic with its schema: what `schemas/<name>.yaml` says. */
export interface Topic {
  readonly name: string
  readonly description: string
  readonly owner: string
  readonly fields: readonly Field[]
  /** Fields that together name an instrument (or any other entity); rows of one key keep their order. Empty: one partition. */
  readonly key: readonly string[]
  /** Fields that together name a row: of several rows with the same values readers get the one that was taken last. Empty or undefined: every row counts. */
  readonly unique?: readonly string[] | undefined
  /** The field that says when it happened; the destinations partition by its day. Empty: the ingest time. */
  readonly eventTime: string
  readonly partitions: number
  readonly retention: Retention
  /** Days before today that the streaming database keeps; undefined: as many as `realtime_period` of the platform says. */
  readonly realtimeDays?: number | undefined
  /** People without a login see its name and how fresh it is. */
  readonly public?: true | undefined
  /** What must hold of the rows; undefined: nothing is checked. */
  readonly quality?: readonly QualityRule[] | undefined
  /** Changes whenever anything in the schema changes. */
  readonly hash: string
}

export interface Retention {
  /** Older rows may go. */
  readonly ms: number
  /** The oldest rows go when the topic holds more. */
  readonly bytes: number
  /** Rows that an output has not taken yet may go too. False: a stuck output keeps its rows. */
  readonly beyondOutputs: boolean
}

/** A cast rule that allows nothing special; fields override parts of it. */
export const plainCast: CastRule = {
  prefixes: [], suffixes: {}, thousands: '', percent: '', unit: 'iso', zone: 'UTC', nulls: [], excess: 'reject'
}

export function field (name: string, type: Type, more: Partial<Omit<Field, 'name' | 'type'>> = {}): Field {
  return {
    name, type, required: false, mandatory: false, description: '', unit: '', lowCardinality: false, aliases: [], cast: plainCast, ...more
  }
}

const rejectedSuffix = '.rejected'

/** The topic of the rows of `name` that could not be delivered: why, where they stood, and what they held. */
export function rejectedTopic (name: string): Topic {
  return {
    name: `${name}${rejectedSuffix}`,
    description: `Rows of ${name} that were refused, with the reason, their original values and their position`,
    owner: '',
    fields: [
      field('reason', { kind: 'string' }, { required: true, description: 'Why the row was refused' }),
      field('row', { kind: 'json' }, { required: true, description: 'The row as it came' }),
      field('pipeline', { kind: 'string' }, { required: true, lowCardinality: true, description: 'The pipeline that refused it' }),
      field('step', { kind: 'string' }, { required: true, lowCardinality: true, description: 'The input, transform or output that refused it' }),
      field('output', { kind: 'string' }, { required: true, lowCardinality: true, description: 'The output that goes without the row; empty: all of them, it never reached the topic' }),
      field('partition', { kind: 'int32' }, { required: true, description: 'Of the row in its topic; -1: it never reached the topic' }),
      field('offset', { kind: 'int64' }, { required: true, description: 'Of the row in its topic; -1: it never reached the topic' }),
      field('time', { kind: 'timestamp', unit: 'ms' }, { required: true, description: 'When it was refused', cast: { ...plainCast, unit: 'ms' } })
    ],
    key: [],
    eventTime: 'time',
    partitions: 1,
    retention: { ms: 30 * 86_400_000, bytes: 2 ** 30, beyondOutputs: false },
    hash: 'rejected-2'
  }
}

export function isRejectedTopic (name: string): boolean {
  return name.endsWith(rejectedSuffix)
}
