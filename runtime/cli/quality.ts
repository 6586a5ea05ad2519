// `twolane quality`: the latest result of each quality rule.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { duration, table } from './table.ts'
import { UsageError } from './terminal.ts'
import type { Json } from '../plugin.ts'
import type { Terminal } from './terminal.ts'

interface Result {
  readonly scope: 'day' | 'now'
  readonly at: number
  readonly from: number
  readonly level: 'ok' | 'warn' | 'error'
  readonly value: number | null
  readonly unit: string
  readonly message: string
  readonly examples: ReadonlyArray<Readonly<Record<string, Json>>>
}
interface Rule {
  readonly topic: string
  readonly rule: string
  readonly during: string
  readonly warn: string | null
  readonly error: string | null
  readonly rejects: boolean
  readonly results: readonly Result[]
}
interface Report {
  readonly level: Result['level']
  readonly rules: readonly Rule[]
}

/** Resolves to 1 where the latest result of any rule is an error. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { ...adminOptions, json: { type: 'boolean', default: false } } })
  const [topic, ...others] = positionals
  if (others.length > 0) throw new UsageError('One topic may be named')
  const admin = await connect(terminal, values.token)
  const report = await admin.json<Report>('GET', `/v1/quality${topic === undefined ? '' : `?topic=${encodeURIComponent(topic)}`}`)
  for (const line of values.json ? [JSON.stringify(report)] : lines(report, topic)) terminal.print(line)
  return report.level === 'error' ? 1 : 0
}

function lines ({ rules }: Report, topic: string | undefined): string[] {
  if (rules.length === 0) return [topic === undefined ? 'No schema has quality rules' : `The schema of ${topic} has no quality rules`]
  return [
    ...table(['TOPIC', 'RULE', 'LEVEL', 'VALUE', 'MUST BE', 'OF', 'CHECKED'], rules.flatMap(rowsOf), ['VALUE']),
    ...rules.flatMap(({ results }) => results.filter(({ level }) => level !== 'ok').flatMap(({ message, examples }) => ['', message, ...examples.map(example => `  ${JSON.stringify(example)}`)]))
  ]
}

function rowsOf ({ topic, rule, warn, error, rejects, results }: Rule): string[][] {
  const limits = [warn === null ? '' : `warn ${plain(warn)}`, error === null ? '' : `error ${plain(error)}`, rejects ? 'rejects rows' : '']
  const limit = limits.filter(part => part !== '').join(', ')
  if (results.length === 0) return [[topic, rule, 'not checked', '', limit, '', '']]
  return results.map(({ scope, at, from, level, value, unit }) => [
    topic, rule, level, value === null ? '' : `${Number(value.toPrecision(6))}${unit === 'percent' ? ' %' : unit === 'seconds' ? ' s' : ''}`,
    limit, scope === 'day' ? new Date(from).toISOString().slice(0, 10) : 'now', `${duration(Math.max(0, Date.now() - at) / 1000)} ago`
  ])
}

/** `less than 5` of `must be less than 5`: the heading says the rest. */
function plain (threshold: string): string {
  return threshold.replace(/^must be /, '')
}
