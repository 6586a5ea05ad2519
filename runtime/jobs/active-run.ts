// One attempt of a run while it is under way.

import { describe, PlatformError } from '../errors.ts'
import { AttemptFailed } from './pipeline-run.ts'
import { RunLog } from './run-log.ts'
import type { Logger } from '../plugin.ts'
import type { RunContext } from './pipeline-run.ts'
import type { RunRecord, StepCount } from './record.ts'
import type { Progress, Task } from './task.ts'

/** Why it is told to end. */
export type StopReason = 'cancelled' | 'timed out' | 'interrupted'

/** How an attempt ended; `lasting`: trying again cannot help. */
export type Outcome =
  | { readonly how: 'succeeded' }
  | { readonly how: 'failed', readonly error: string, readonly step: string, readonly lasting: boolean }
  | { readonly how: StopReason, readonly error: string }

const noCounts = { rows: 0, bytes: 0, rejected: 0 }

export class ActiveRun {
  readonly task: Task
  readonly log: RunLog
  readonly ended: Promise<Outcome>
  /** Of `performance.now()`. */
  readonly deadline: number
  readonly #record: RunRecord
  readonly #controller = new AbortController()
  readonly #logger: Logger
  readonly #forward: (line: string) => void
  readonly #mask: (text: string) => string
  #reason: StopReason | undefined
  #done: Omit<Progress, 'share'> = noCounts
  #share: number | undefined
  #steps: readonly StepCount[] = []

  constructor (task: Task, record: RunRecord, { lines, deadline, logger, forward, mask }: {
    readonly lines: readonly string[], readonly deadline: number, readonly logger: Logger, readonly forward: (line: string) => void, readonly mask: (text: string) => string
  }) {
    this.task = task
    this.log = new RunLog(lines)
    this.deadline = deadline
    this.#record = record
    this.#logger = logger
    this.#forward = forward
    this.#mask = mask
    this.ended = this.#run()
  }

  /** With what this attempt has done so far. */
  get record (): RunRecord {
    const { rows, bytes, rejected, steps } = this.#record
    return {
      ...this.#record,
      rows: rows + this.#done.rows,
      bytes: bytes + this.#done.bytes,
      rejected: rejected + this.#done.rejected,
      share: this.#share,
      steps: sum(steps, this.#steps)
    }
  }

  /** The first reason stands. It ends when it has settled what is in flight. */
  stop (reason: StopReason): void {
    this.#reason ??= reason
    this.#controller.abort()
  }

  async #run (): Promise<Outcome> {
    try {
      // The caller learns of the run before it does anything.
      await Promise.resolve()
      await this.task.run(this.#context())
      return { how: 'succeeded' }
    } catch (error) {
      const reason = this.#mask(error instanceof AttemptFailed ? error.message : describe(error))
      if (this.#reason !== undefined) return { how: this.#reason, error: explanations[this.#reason] }
      if (error instanceof AttemptFailed) return { how: 'failed', error: reason, step: error.step, lasting: error.lasting }
      return { how: 'failed', error: reason, step: '', lasting: error instanceof PlatformError && !error.retryable }
    }
  }

  #context (): RunContext {
    const { id, from, to, kind, params } = this.#record
    const say = (level: 'error' | 'warn' | 'info' | 'debug', number: number) => (fields: object, message: string): void => {
      this.#logger[level]({ job: this.task.id, run: id, ...fields }, message)
      if (level !== 'debug') this.log.add(this.#mask(JSON.stringify({ level: number, time: Date.now(), ...fields, msg: message })))
    }
    return {
      run: { id, from, to, kind },
      params,
      signal: this.#controller.signal,
      log: { error: say('error', 50), warn: say('warn', 40), info: say('info', 30), debug: say('debug', 20) },
      progress: ({ rows = 0, bytes = 0, rejected = 0, share }) => {
        const done = this.#done
        this.#done = { rows: done.rows + rows, bytes: done.bytes + bytes, rejected: done.rejected + rejected }
        if (share !== undefined) this.#share = Math.min(1, Math.max(0, share))
      },
      line: line => {
        this.#forward(line)
        this.log.add(line)
      },
      steps: steps => { this.#steps = steps }
    }
  }
}

const explanations: Readonly<Record<StopReason, string>> = {
  cancelled: 'It was cancelled', 'timed out': 'It took longer than its timeout', interrupted: 'The platform ended meanwhile'
}

/** By step: what earlier attempts have done, and this one. */
function sum (before: readonly StepCount[], now: readonly StepCount[]): StepCount[] {
  if (now.length === 0) return [...before]
  return now.map(count => {
    const { rows, bytes, rejected } = before.find(({ step }) => step === count.step) ?? noCounts
    return { step: count.step, rows: rows + count.rows, bytes: bytes + count.bytes, rejected: rejected + count.rejected }
  })
}
