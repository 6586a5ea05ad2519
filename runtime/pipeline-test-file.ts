// pipelines/<id>.test.yaml: rows as a source sends them, and what has to become of them.

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { checkYaml } from './check.ts'
import { describe } from './errors.ts'
import { parseJson } from './json.ts'
import { configInvalid, quote } from './problems.ts'
import type { Path, Problem } from './problems.ts'
import type { Json, Row } from './plugin.ts'
import { readYaml } from './yaml.ts'
import type { YamlFile } from './yaml.ts'

export interface ExpectedRejection {
  /** A part of the reason, or a regular expression between slashes. */
  readonly reason: string
  /** The step that refuses it, such as `transforms.mapping`. */
  readonly step?: string
  /** Fields of the row as the topic held them. */
  readonly row?: Row
}

export interface PipelineTest {
  readonly name: string
  /** What the clock says: ms since 1970. */
  readonly now: number
  /** All variables there are. */
  readonly environment: Readonly<Record<string, string>>
  readonly input: readonly Row[]
  /** Rows by the name of the output. */
  readonly outputs: Readonly<Record<string, readonly Row[]>>
  readonly rejected: readonly ExpectedRejection[]
  /** No other fields than those named may hold anything. */
  readonly exact: boolean
}

export interface PipelineTests {
  /** Of the pipeline. */
  readonly id: string
  readonly file: string
  readonly yaml: YamlFile
  readonly tests: readonly PipelineTest[]
}

const row = { type: 'object' }
const rows = { type: 'array', items: row }
const scalars = ['string', 'number', 'boolean']

export const pipelineTestForm = {
  type: 'object',
  additionalProperties: false,
  required: ['tests'],
  properties: {
    tests: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name'],
        properties: {
          name: { type: 'string', minLength: 1, description: 'What the test proves, as a claim.' },
          now: { type: 'string', description: 'What the clock says, ISO 8601; 2026-01-01T00:00:00Z where it is left out.' },
          environment: { type: 'object', additionalProperties: { type: scalars }, description: 'All variables that the pipeline file sees.' },
          input: { ...rows, description: 'Rows under the names of the source.' },
          rows_file: { type: 'string', description: 'The rows as NDJSON, a file relative to this one, in place of input.' },
          outputs: { type: 'object', additionalProperties: rows, description: 'Rows that each output gets, in order. Fields that are not named may hold anything.' },
          rejected: {
            type: 'array',
            description: 'Rows that are refused, in order; none where it is left out.',
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['reason'],
              properties: {
                reason: { type: 'string', description: 'A part of the reason, or a regular expression between slashes.' },
                step: { type: 'string', description: 'The step that refuses it.' },
                row: { ...row, description: 'Fields of the row as the topic held them.' }
              }
            }
          },
          exact: { type: 'boolean', description: 'Fields that are not named must be empty.' }
        }
      }
    }
  }
} as const

interface TestText {
  readonly name: string
  readonly now?: string
  readonly environment?: Readonly<Record<string, Json>>
  readonly input?: readonly Row[]
  readonly rows_file?: string
  readonly outputs?: Readonly<Record<string, readonly Row[]>>
  readonly rejected?: readonly ExpectedRejection[]
  readonly exact?: boolean
}

const nowDefault = '2026-01-01T00:00:00Z'
const testSuffix = '.test.yaml'

/** Throws one CONFIG_INVALID that lists all problems of the file. `file` is relative to `root`. */
export async function readPipelineTests (root: string, file: string): Promise<PipelineTests> {
  const yaml = readYaml(file, await readFile(join(root, file), 'utf8'))
  const { tests } = checkYaml<{ tests: readonly TestText[] }>(yaml, pipelineTestForm)
  const problems: Problem[] = []
  const id = basename(file, testSuffix)
  if (!existsSync(join(root, dirname(file), `${id}.yaml`))) problems.push(yaml.problem([], `there is no pipeline ${quote(id)} for these tests`))
  const names = new Set<string>()
  const read: PipelineTest[] = []
  for (const [i, test] of tests.entries()) {
    const at = ['tests', i]
    if (names.has(test.name)) problems.push(yaml.problem([...at, 'name'], `another test is called ${quote(test.name)}, too`))
    names.add(test.name)
    const now = Date.parse(test.now ?? nowDefault)
    if (Number.isNaN(now)) problems.push(yaml.problem([...at, 'now'], 'must be a time such as 2026-01-02T14:30:00Z'))
    for (const [j, { reason }] of (test.rejected ?? []).entries()) checkPattern(yaml, [...at, 'rejected', j, 'reason'], reason, problems)
    read.push({
      name: test.name,
      now,
      environment: Object.fromEntries(Object.entries(test.environment ?? {}).map(([name, value]) => [name, String(value)])),
      input: await inputRows(root, yaml, at, test, problems),
      outputs: test.outputs ?? {},
      rejected: test.rejected ?? [],
      exact: test.exact ?? false
    })
  }
  if (problems.length > 0) throw configInvalid(problems)
  return { id, file, yaml, tests: read }
}

/** The pattern between slashes; undefined: it is a part of a text. */
export function patternOf (reason: string): RegExp | undefined {
  const source = /^\/(.+)\/$/.exec(reason)?.[1]
  return source === undefined ? undefined : new RegExp(source)
}

function checkPattern (yaml: YamlFile, path: Path, reason: string, problems: Problem[]): void {
  try {
    patternOf(reason)
  } catch (error) {
    problems.push(yaml.problem(path, (error as Error).message))
  }
}

async function inputRows (root: string, yaml: YamlFile, at: Path, test: TestText, problems: Problem[]): Promise<readonly Row[]> {
  const { input, rows_file: rowsFile } = test
  if ((input === undefined) === (rowsFile === undefined)) problems.push(yaml.problem(at, 'has either input or rows_file'))
  if (rowsFile === undefined) return input ?? []
  const path = join(root, dirname(yaml.file), rowsFile)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    problems.push(yaml.problem([...at, 'rows_file'], `cannot be read: ${describe(error)}`))
    return []
  }
  const rows: Row[] = []
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    try {
      const row = parseJson(line)
      if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new Error('is no object')
      rows.push(row as Row)
    } catch (error) {
      problems.push(yaml.problem([...at, 'rows_file'], `line ${i + 1}: ${describe(error)}`))
    }
  }
  return rows
}
