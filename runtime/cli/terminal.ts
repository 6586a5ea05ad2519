// What a command gets: where it runs and where it writes. Tests give their own.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Environment } from '../interpolate.ts'

export interface Terminal {
  /** The project's folder: plugins/, pipelines/, schemas/ and config/ are below it. */
  readonly root: string
  /** Where the person stands; names of files are relative to it. */
  readonly folder: string
  readonly env: Environment
  /** One line to standard output. */
  print (line: string): void
  /** One line to standard error. */
  complain (line: string): void
  /** Standard output for what is no text; undefined: lines are all that it takes. */
  readonly out?: NodeJS.WritableStream
  /** Aborted at Ctrl-C, for commands that run until then; undefined: nobody will press it. */
  readonly signal?: AbortSignal
}

export interface Command {
  /** Resolves to the exit code. */
  run (args: readonly string[], terminal: Terminal): Promise<number>
}

/** The nearest folder, from `folder` up, that looks like a project; `folder` itself where none does. */
export function projectRoot (folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, 'pipelines')) || existsSync(join(at, 'schemas'))) return at
    if (dirname(at) === at) return folder
  }
}

/** Wrong arguments: the message says what is right; the exit code is 2. */
export class UsageError extends Error {}

/** The one topic that a command is about. */
export function onlyTopic ([topic, ...others]: readonly string[]): string {
  if (topic === undefined || others.length > 0) throw new UsageError('One topic must be named')
  return topic
}

/** Names that are separated by commas. */
export function listOf (text: string | undefined): string[] {
  return (text ?? '').split(',').map(name => name.trim()).filter(name => name !== '')
}
