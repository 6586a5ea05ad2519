// `twolane parity`: a day in the lake against what the databases hold of it.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { followRun } from './follow-run.ts'
import { table } from './table.ts'
import { UsageError } from './terminal.ts'
import type { RunDetail, ShownRun } from './job.ts'
import type { Terminal } from './terminal.ts'

/** Resolves to 1 where something differs. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { ...adminOptions, json: { type: 'boolean', default: false } } })
  const [topic, day, ...others] = positionals
  if (topic === undefined || day === undefined || others.length > 0) throw new UsageError('A topic and a day must be named')
  const admin = await connect(terminal, values.token)
  const begun = await admin.json<ShownRun>('POST', '/v1/parity', 202, { topic, day })
  return followRun(begun, { admin, terminal, json: values.json, wait: true, report: parityLines })
}

/** A table of the checks, then the positions that differ. */
function parityLines ({ log }: RunDetail): string[] {
  const text = (value: unknown): string => value === undefined || value === null ? '' : String(value)
  const checks = log.filter(({ message }) => message === 'Compared').map(({ fields }) => fields)
  const differences = log.filter(({ message }) => message === 'Differs').map(({ fields }) => fields)
  const remarks = log.filter(({ message }) => message.startsWith('Rows of the '))
  return [
    ...remarks.map(({ message, fields }) => `${message}: ${Object.entries(fields).filter(([, value]) => typeof value === 'number').map(([name, value]) => `${name} ${text(value)}`).join(', ')}`),
    ...table(['DATASET', 'WHAT', 'LAKE', 'LANE', ''], checks.map(({ dataset, what, lake, lane, same }) => [text(dataset), text(what), text(lake), text(lane), same === true ? 'same' : 'DIFFERS']), ['LAKE', 'LANE']),
    ...differences.length === 0
      ? []
      : ['', ...table(['DATASET', 'POSITION', 'ROW', 'COLUMN', 'LAKE', 'LANE'], differences.map(({ dataset, topic, partition, offset, kind, column, lake, lane }) => [text(dataset), `${text(topic)}/${text(partition)}:${text(offset)}`, text(kind), text(column), text(lake), text(lane)]))]
  ]
}
