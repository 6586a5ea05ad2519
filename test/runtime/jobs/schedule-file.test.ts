import t from 'tap'
import { formatWhen } from '../../../runtime/jobs/schedule-file.ts'
import { readPipelines } from '../../../runtime/pipeline.ts'
import { makeProject } from '../../system/project.ts'
import { files, job } from './ledger.ts'
import type { Test } from 'tap'
import type { Schedule } from '../../../runtime/jobs/schedule.ts'

async function read (t: Test, schedule: string, change = (text: string): string => text): Promise<{ readonly schedule: Schedule | undefined, readonly problems: readonly string[] }> {
  const project = makeProject(t.testdir(), { ...files, 'pipelines/one.yaml': change(job('one', schedule)) })
  const { pipelines, problems } = await readPipelines(project.folder, {})
  return { schedule: pipelines.get('one')?.schedule, problems: problems.flatMap(({ error }) => error.message.split('\n')) }
}

await t.test('a schedule is read with its defaults', async t => {
  const rest = { catchUp: 'once', retries: 3, retryDelayMs: 10_000, timeoutMs: 86_400_000, historyRuns: 1000 }
  const expected: ReadonlyArray<readonly [string, Schedule, string]> = [
    ['manual', { when: { kind: 'manual' }, ...rest } as Schedule, 'manual'],
    ['{ retries: 0 }', { when: { kind: 'manual' }, ...rest, retries: 0 } as Schedule, 'manual'],
    ['{ every: 15m, catch_up: each }', { when: { kind: 'every', ms: 900_000 }, ...rest, catchUp: 'each' } as Schedule, 'every 15m'],
    ["{ cron: '0 6 * * 1-5', time_zone: America/New_York, retry_delay: 1m, timeout: 2h, history: 5 }", { when: { kind: 'cron', expression: '0 6 * * 1-5', timeZone: 'America/New_York' }, ...rest, retryDelayMs: 60_000, timeoutMs: 7_200_000, historyRuns: 5 } as Schedule, '0 6 * * 1-5 America/New_York'],
    ["{ cron: '*/10 * * * * *' }", { when: { kind: 'cron', expression: '*/10 * * * * *', timeZone: 'UTC' }, ...rest } as Schedule, '*/10 * * * * *']
  ]
  for (const [text, schedule, shown] of expected) {
    const found = await read(t, text)
    t.strictSame(found, { schedule, problems: [] }, text)
    t.equal(formatWhen(schedule.when), shown)
  }
})

await t.test('what cannot be meant is said with its place', async t => {
  const wrong: ReadonlyArray<readonly [string, RegExp]> = [
    ['hourly', /pipelines\/one\.yaml:7:1 schedule: must match \^manual\$ \(.*manual, or a map with cron or every/],
    ["{ cron: '0 6 * *' }", /one\.yaml:7:13 schedule\.cron: "0 6 \* \*" has 4 fields; /],
    ["{ cron: '61 * * * *' }", /schedule\.cron: "61 \* \* \* \*" is no time: Invalid value for minute: 61/],
    ["{ cron: '0 0 31 2 *' }", /schedule\.cron: "0 0 31 2 \*" never comes/],
    ["{ cron: '2024-01-01T00:00:00' }", /schedule\.cron: "2024-01-01T00:00:00" has 1 fields/],
    ["{ cron: '0 6 * * *', time_zone: Mars }", /one\.yaml:7:32 schedule\.time_zone: "Mars" is no time zone/],
    ["{ cron: '0 6 * * *', every: 1h }", /schedule\.every: stands beside cron/],
    ['{ every: 1h, time_zone: UTC }', /schedule\.time_zone: only goes with cron/],
    ['{ every: 500ms }', /schedule\.every: must be from 1s to 366d/],
    ['{ every: hourly }', /schedule\.every: must match/],
    ['{ timeout: 40d }', /schedule\.timeout: must be at most 30d/],
    ['{ catch_up: all }', /schedule\.catch_up: "all" is not allowed; it is one of|schedule\.catch_up: "all" is not allowed/],
    ['{ retrys: 1 }', /schedule\.retrys: unknown key; did you mean "retries"\?/]
  ]
  for (const [text, problem] of wrong) {
    const { problems } = await read(t, text)
    t.equal(problems.length, 1, text)
    t.match(problems[0], problem)
  }
})

await t.test('the input of a job has an end, and its id is none of the platform', async t => {
  const endless = await read(t, 'manual', text => text.replace('input: ledger', 'input: { generate: { fields: { n: { counter: 0 } } } }'))
  t.match(endless.problems, [/pipelines\/one\.yaml:2:10 input\.generate: "generate" never ends, so that no run of a job would; inputs that do: .*\bledger\b/])
  const project = makeProject(t.testdir(), { ...files, 'pipelines/handoff.yaml': job('one', 'manual') })
  t.match((await readPipelines(project.folder, {})).problems, [{ error: { message: /pipelines\/handoff\.yaml:2:1: "handoff" is a job of the platform/ } }])
})
