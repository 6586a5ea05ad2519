// A change of files, looked at from all sides before anything is touched: checked in a scratch copy of the project, its
// tests run, its effects told. The same is done once more when it is applied.

import { createTwoFilesPatch } from 'diff'
import { calendarNames, readCalendar } from '../calendar/calendar.ts'
import { parseModel } from '../clickhouse/models.ts'
import { readConfig } from '../config.ts'
import { describe, PlatformError } from '../errors.ts'
import { readFiles } from '../files.ts'
import { masker } from '../mask.ts'
import { collect } from '../problems.ts'
import { readYaml } from '../yaml.ts'
import { changeSet, planHash } from './change-set.ts'
import { effectsOf, nameOf, noEffects, reached } from './effects.ts'
import { checkPolicy } from './policy.ts'
import { publicText } from './public-text.ts'
import { inScratch } from './scratch.ts'
import { secretsOf } from './secret-options.ts'
import { stepsOf } from './step-name.ts'
import { testPipelines } from './test-thread.ts'
import type { Principal } from '../access/principal.ts'
import type { Files } from '../files.ts'
import type { Platform } from '../platform.ts'
import type { Json } from '../plugin.ts'
import type { Problem } from '../problems.ts'
import type { ChangeRequest, FileChange } from './change-set.ts'
import type { Effects } from './effects.ts'
import type { SecretOptions } from './public-text.ts'

/** Above it a diff is not made: it takes long, and nobody reads it. */
const DIFF_EDITS_MAX = 20_000

export interface FileDiff {
  readonly path: string
  readonly change: 'added' | 'changed' | 'removed'
  /** As `diff -u` writes it, with secrets as ***. */
  readonly unified: string
  readonly added: number
  readonly removed: number
  /** What differs, besides what is shown, is a secret. */
  readonly secrets: boolean
}

export interface ChangePlan {
  readonly plan: string
  readonly diffs: readonly FileDiff[]
  /** It cannot be applied while there are any. */
  readonly problems: readonly Problem[]
  /** Of files that the change does not touch: they hold up nothing. */
  readonly elsewhere: readonly Problem[]
  readonly tests: { readonly passed: number, readonly failed: number }
  readonly effects: Effects
}

/** What applying needs besides. */
export interface CheckedChange {
  readonly changes: readonly FileChange[]
  readonly plan: ChangePlan
  /** Pipelines that have to be looked at anew. */
  readonly ids: readonly string[]
}

/** Throws for a request that makes no sense; what is wrong with the files is in the plan. */
export async function planChange (platform: Platform, principal: Principal, request: ChangeRequest): Promise<CheckedChange> {
  const { root, config, supervisor } = platform
  const changes = await changeSet(root, request)
  const shown = await publicTexts(platform, changes)
  const refused = await checkPolicy(platform, principal, changes)
  const broken = syntaxProblems(changes)
  if (broken.length > 0) return { changes, ids: [], plan: { plan: planHash(changes), diffs: changes.map(change => diffOf(change, shown)), problems: [...refused, ...broken], elsewhere: [], tests: { passed: 0, failed: 0 }, effects: noEffects } }
  const found = await inScratch({ root, dataFolder: config.dataFolder }, changes, async folder => {
    const files = await readFiles(folder)
    const ids = reached(changes, supervisor.files, files)
    const tested = [...new Set([...ids, ...changes.filter(({ kind }) => kind === 'test').map(({ path }) => nameOf(path))])].filter(id => files.pipelines.has(id))
    const [tests, others, effects] = [await testPipelines(folder, tested), await otherProblems(folder, changes), await effectsOf(platform, changes, files, ids)]
    return { files, ids, tests, others, effects }
  })
  const { files, ids, tests, effects } = found
  const all = [...files.problems.flatMap(({ file, message, problems }) => problems.length > 0 ? problems : [placeless(file, message)]), ...found.others]
  const isOwn = ({ file }: Problem): boolean => changes.some(({ path }) => path === file) || ids.some(id => file === `pipelines/${id}.yaml`)
  const failed = tests.failed.flatMap(({ file, test, faults }) => faults.map(fault => placeless(file, test === '' ? fault : `${test}: ${fault}`)))
  const unfit = effects.tables.filter(({ change }) => change === 'refused').map(({ table, reason }) => placeless(table, reason))
  const plan = {
    plan: planHash(changes),
    diffs: changes.map(change => diffOf(change, shown)),
    problems: unique([...refused, ...all.filter(isOwn), ...failed, ...unfit]),
    elsewhere: unique(all.filter(problem => !isOwn(problem))),
    tests: { passed: tests.passed, failed: tests.failed.length },
    effects
  }
  return { changes, ids, plan: withoutSecrets(plan, files, config.secrets) }
}

/** Of the plugins that the texts of pipelines name. */
async function publicTexts (platform: Platform, changes: readonly FileChange[]): Promise<SecretOptions> {
  const texts = changes.filter(({ kind }) => kind === 'pipeline').flatMap(({ path, before, after }) => [before, after].map(text => text === undefined ? undefined : valueOf(path, text))).filter(value => value !== undefined)
  return texts.length === 0 ? new Map() : secretsOf(platform, texts.flatMap(value => stepsOf(value).map(({ kind, plugin: name }) => ({ kind, name }))))
}

function valueOf (path: string, text: string): Json | undefined {
  try {
    return readYaml(path, text).value
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error
    return undefined
  }
}

/** What is no YAML. It is told before anything else is looked at: a text that is made to take long takes no thread. */
function syntaxProblems (changes: readonly FileChange[]): Problem[] {
  const problems: Problem[] = []
  for (const { path, after } of changes) if (after !== undefined && path.endsWith('.yaml')) collect(problems, () => readYaml(path, after))
  return problems
}

/** Settings, calendars and models: what is read with pipelines and schemas is not looked at again. */
async function otherProblems (folder: string, changes: readonly FileChange[]): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const { path, kind, after } of changes) {
    if (after === undefined || (kind !== 'config' && kind !== 'model')) continue
    try {
      if (kind === 'model') parseModel(path, nameOf(path), after)
      else if (path === 'config/platform.yaml') await readConfig({ root: folder, env: process.env })
      else if (path.startsWith('config/calendars/') && (await calendarNames(folder)).includes(nameOf(path))) await readCalendar(folder, nameOf(path))
      else readYaml(path, after)
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error
      problems.push(...error.problems ?? [placeless(path, describe(error))])
    }
  }
  return problems
}

function diffOf ({ path, before, after }: FileChange, secrets: SecretOptions): FileDiff {
  const [from, to] = [before, after].map(text => text === undefined ? '' : publicText(path, text, secrets)) as [string, string]
  const unified = createTwoFilesPatch(before === undefined ? '/dev/null' : `a/${path}`, after === undefined ? '/dev/null' : `b/${path}`, from, to, undefined, undefined, { context: 3, maxEditLength: DIFF_EDITS_MAX })
  const lines = (unified ?? '').split('\n').slice(4)
  return {
    path,
    change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
    unified: unified ?? `--- a/${path}\n+++ b/${path}\nThe texts differ in too many places to be shown line by line.\n`,
    added: lines.filter(line => line.startsWith('+')).length,
    removed: lines.filter(line => line.startsWith('-')).length,
    secrets: from === to && before !== undefined && after !== undefined
  }
}

/** Also where an error message or a statement repeats one. */
function withoutSecrets (plan: ChangePlan, { pipelines }: Files, more: readonly string[]): ChangePlan {
  const mask = masker([...more, ...[...pipelines.values()].flatMap(({ secrets }) => secrets)])
  return { ...JSON.parse(mask(JSON.stringify(plan))) as ChangePlan, plan: plan.plan }
}

function placeless (file: string, message: string): Problem {
  return { file, line: 0, column: 0, path: '', message }
}

function unique (problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map(problem => [JSON.stringify(problem), problem])).values()]
}
