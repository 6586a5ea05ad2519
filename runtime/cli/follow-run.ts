// A run that a command has started by itself: shown until its end, cancelled by Ctrl-C.

import { follow } from './job-progress.ts'
import { runLine } from './job-lines.ts'
import type { Admin } from './admin.ts'
import type { RunDetail, ShownRun } from './job.ts'
import type { Terminal } from './terminal.ts'

export interface Following {
  readonly admin: Admin
  readonly terminal: Terminal
  readonly json: boolean
  /** False: it is left to itself. */
  readonly wait: boolean
  /** What is printed of the run once it has ended. */
  report? (run: RunDetail): readonly string[]
}

/** Resolves to 0 where the run succeeded, or is not waited for. */
export async function followRun ({ job, id, ...begun }: ShownRun, { admin, terminal, json, wait, report = () => [] }: Following): Promise<number> {
  const path = `/v1/jobs/${job}/runs/${id}`
  if (!wait) {
    terminal.print(json ? JSON.stringify({ job, id, ...begun }) : runLine({ job, id, ...begun }))
    return 0
  }
  const look = (): Promise<RunDetail> => admin.json<RunDetail>('GET', path)
  // One JSON document at the end is all that a program wants.
  const ended = await follow(look, json ? { ...terminal, print () {} } : terminal)
  if (ended === undefined) {
    await admin.json('POST', `${path}/cancel`, 202)
    terminal.complain(`Run ${id} is being cancelled`)
    return 1
  }
  for (const line of json ? [JSON.stringify(ended)] : report(ended)) terminal.print(line)
  return ended.state === 'succeeded' ? 0 : 1
}
