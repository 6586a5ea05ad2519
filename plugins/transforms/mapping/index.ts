import { EXTRA, field } from '../../../runtime/schema.ts'
import { RowBatch, defineTransform } from '../../../runtime/plugin.ts'
import { Caster } from '../../../runtime/cast/cast.ts'
import { Refusals } from '../../../runtime/cast/refusals.ts'
import { calendarsOf } from '../../../runtime/quality/calendars.ts'
import { RowRules } from '../../../runtime/quality/row-rules.ts'
import type { Batch, Mapping, Topic } from '../../../runtime/plugin.ts'
import type { Column } from '../../../runtime/batch.ts'

export default defineTransform({
  description: 'The topic mapping: casts every field to the type that the topic schema gives it, and takes out rows that do not fit or break a rule of the schema, with the reason',
  shorthand: 'schema',
  options: {
    schema: {
      type: 'string',
      description: 'Name of the topic schema, such as `quotes` for `schemas/quotes.yaml`; the pipeline\'s own topic where it is left out.',
      default: null
    }
  },
  async open ({ schema }, context) {
    const topic = schema === null || schema === context.topic.name ? context.topic : context.topicNamed(schema)
    const rules = await RowRules.open(topic, calendarsOf(context.root), context.metrics)
    return new TopicMapping(topic, rules, (row, reason) => context.reject(row, reason))
  }
})

/** All data of a topic is cast the same way, whatever source it came from. Holds nothing of a batch. */
class TopicMapping implements Mapping {
  readonly #topic: Topic
  readonly #rules: RowRules | undefined
  readonly #reject: (row: number, reason: string) => void
  readonly #casts: ReadonlyArray<{ readonly name: string, readonly caster: Caster }>
  /** For what the schema does not know; undefined: the schema has a field of that name. */
  readonly #extra: Caster | undefined

  constructor (topic: Topic, rules: RowRules | undefined, reject: (row: number, reason: string) => void) {
    this.#topic = topic
    this.#rules = rules
    this.#reject = reject
    this.#casts = topic.fields.map(field => ({ name: field.name, caster: new Caster(field) }))
    this.#extra = topic.fields.some(({ name }) => name === EXTRA) ? undefined : new Caster(field(EXTRA, { kind: 'json' }))
  }

  map (batch: Batch): Batch {
    const refusals = new Refusals()
    const columns: Record<string, Column> = Object.create(null)
    for (const { name, caster } of this.#casts) {
      columns[name] = caster.cast(columnOf(batch, name), batch.length, refusals.of(name))
    }
    const extra = columnOf(batch, EXTRA)
    if (extra !== undefined && this.#extra !== undefined) columns[EXTRA] = this.#extra.cast(extra, batch.length, refusals.of(EXTRA))
    this.#rules?.check(batch, columns, refusals)
    const { position, offsets, bytes, length } = batch
    const mapped = new RowBatch(this.#topic, length, columns, { position, offsets, bytes })
    if (refusals.size === 0) return mapped
    for (let i = 0; i < length; i++) if (refusals.has(i)) this.#reject(i, refusals.reason(i))
    return mapped.select(refusals.others(length))
  }
}

function columnOf (batch: Batch, name: string): Column | undefined {
  return Object.hasOwn(batch.columns, name) ? batch.columns[name] : undefined
}
