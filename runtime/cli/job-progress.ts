// A run as it goes on: a bar on a terminal, which draws itself anew; elsewhere a line whenever something has changed.

import { setTimeout as sleep } from 'node:timers/promises'
import { reasonOf, runLine } from './job-lines.ts'
import { count } from './table.ts'
import type { RunDetail } from './job.ts'
import type { Terminal } from './terminal.ts'

const LOOK_MS = 500
const BAR_CHARACTERS = 30

/** The run once it has ended; undefined: the terminal's signal came first. */
export async function follow (look: () => Promise<RunDetail>, { print, out, signal }: Terminal): Promise<RunDetail | undefined> {
  const screen = (out as Partial<NodeJS.WriteStream> | undefined)?.isTTY === true ? out : undefined
  let shown = ''
  while (signal?.aborted !== true) {
    const run = await look()
    const ended = ['succeeded', 'failed', 'cancelled'].includes(run.state)
    if (ended) {
      screen?.write(CLEAR)
      print(`${runLine(run)}${run.error === '' ? '' : `: ${reasonOf(run)}`}`)
      return run
    }
    if (screen !== undefined) {
      screen.write(`${CLEAR}${barOf(run)}`)
    } else if (shown !== changeOf(run)) {
      shown = changeOf(run)
      print(runLine(run))
    }
    await sleep(LOOK_MS, undefined, { ...(signal !== undefined && { signal }) }).catch(() => {})
  }
  screen?.write('\n')
  return undefined
}

const CLEAR = '\r\u001b[2K'

/** Rows change all the time: they are no news by themselves. */
function changeOf ({ state, attempt, error }: RunDetail): string {
  return JSON.stringify([state, attempt, error])
}

function barOf ({ id, job, state, share, rows, attempt, error }: RunDetail): string {
  const full = Math.round((share ?? 0) * BAR_CHARACTERS)
  const bar = share === undefined ? '' : ` ${'█'.repeat(full)}${'░'.repeat(BAR_CHARACTERS - full)} ${Math.floor(share * 100)}%`
  const tries = attempt > 1 || error !== '' ? `, attempt ${attempt}${error === '' ? '' : ` failed: ${error.split('\n')[0]?.slice(0, 80)}`}` : ''
  return `${job} ${id} ${state}${bar} ${count(rows)} rows${tries}`
}
