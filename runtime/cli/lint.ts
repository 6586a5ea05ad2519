// `twolane lint`: everything that can be wrong before something runs, each problem once.

import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ALERTS_FILE, alertsText, parseAlerts } from '../alerts/alert-file.ts'
import { calendarNames, readCalendar } from '../calendar/calendar.ts'
import { readConfig } from '../config.ts'
import { COST_FILE, readPrices } from '../cost/prices.ts'
import { PlatformError } from '../errors.ts'
import { readPipelines } from '../pipeline.ts'
import { readPipelineTests } from '../pipeline-test-file.ts'
import { filesOf } from '../schema-file.ts'
import { UsageError } from './terminal.ts'
import type { Terminal } from './terminal.ts'

/** Checks all files of the project, or the given ones; 1 where any is wrong. */
export async function run (args: readonly string[], { root, folder, env, print, complain }: Terminal): Promise<number> {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
  const wanted = positionals.map(file => inProject(root, folder, file))
  const checks = await checkAll(root, env)
  const missing = wanted.find(file => !checks.has(file))
  if (missing !== undefined) throw new UsageError(`${missing} is no file of pipelines/, schemas/, config/calendars/, config/alerts.yaml, config/cost.yaml or config/platform.yaml`)

  const files = wanted.length > 0 ? wanted : [...checks.keys()]
  const lines = new Set(files.flatMap(file => checks.get(file)?.split('\n') ?? []))
  for (const line of lines) print(line)
  if (lines.size === 0) print(`${count(files.length, 'file')} checked, no problems`)
  else complain(`${count(files.length, 'file')} checked, ${count(lines.size, 'problem')}`)
  return lines.size === 0 ? 0 : 1
}

/** Every file and what is wrong with it. */
async function checkAll (root: string, env: Terminal['env']): Promise<Map<string, string | undefined>> {
  const checks = new Map<string, string | undefined>()
  const check = async (file: string, work: () => Promise<unknown>): Promise<void> => {
    checks.set(file, await work().then(() => undefined, (error: unknown) => {
      if (error instanceof PlatformError) return error.toString()
      throw error
    }))
  }
  if (existsSync(join(root, 'config/platform.yaml'))) await check('config/platform.yaml', () => readConfig({ root, env }))
  if (existsSync(join(root, ALERTS_FILE))) {
    await check(ALERTS_FILE, async () => {
      const { rules } = parseAlerts(await alertsText(root), env)
      for (const { during } of rules) if (during !== '') await readCalendar(root, during)
    })
  }
  if (existsSync(join(root, COST_FILE))) await check(COST_FILE, () => readPrices(root))
  for (const name of await calendarNames(root)) await check(`config/calendars/${name}.yaml`, () => readCalendar(root, name))
  for (const kind of ['schemas', 'pipelines']) for (const entry of await filesOf(join(root, kind))) checks.set(`${kind}/${entry}`, undefined)
  const { problems } = await readPipelines(root, env)
  for (const { file, error } of problems) checks.set(file, error.toString())
  for (const file of [...checks.keys()].filter(file => file.endsWith('.test.yaml'))) await check(file, () => readPipelineTests(root, file))
  return checks
}

/** A file as errors name it: relative to the project, with slashes. */
function inProject (root: string, folder: string, file: string): string {
  return relative(root, resolve(folder, file)).replaceAll('\\', '/')
}

function count (n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}
