// What is wrong with a file, as data: the CLI prints it, the panel marks it in the editor.

import { closest, distance } from 'fastest-levenshtein'
import { PlatformError } from './errors.ts'

/** Keys and indexes from the root of a YAML file to a value. */
export type Path = ReadonlyArray<string | number>

export interface Problem {
  /** Relative to the project's folder, such as `pipelines/quotes.yaml`. */
  readonly file: string
  /** From 1 on; 0: the place has no line, as in the environment. */
  readonly line: number
  /** From 1 on. */
  readonly column: number
  /** Such as `outputs[0].lake.folder`; empty: the whole file. */
  readonly path: string
  /** What is wrong, and what would be right; never a secret. */
  readonly message: string
}

const problemsPrintedMax = 50
const quotedCharactersMax = 60

/** `outputs[0].lake.folder`; names that are no plain words are quoted. */
export function formatPath (path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (!/^[A-Za-z_][\w-]*$/.test(step)) text += `[${quote(step)}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}

/** A text from a file, fit for one line of print. */
export function quote (text: string): string {
  return JSON.stringify(text.length > quotedCharactersMax ? `${text.slice(0, quotedCharactersMax)}…` : text)
}

export function formatPlace ({ file, line, column, path }: Omit<Problem, 'message'>): string {
  const position = line === 0 ? '' : `:${line}:${column}`
  return `${file}${position}${path === '' ? '' : ` ${path}`}`
}

export function formatProblem (problem: Problem): string {
  return `${formatPlace(problem)}: ${problem.message}`
}

/** One error for all problems: its message has a line for each, in the order of the file. */
export function configInvalid (found: readonly Problem[]): PlatformError {
  const problems = found.toSorted((a, b) => a.line - b.line || a.column - b.column)
  const lines = problems.slice(0, problemsPrintedMax).map(formatProblem)
  if (problems.length > problemsPrintedMax) lines.push(`… and ${problems.length - problemsPrintedMax} more`)
  return new PlatformError('CONFIG_INVALID', lines.join('\n'), { problems })
}

/** Runs one check of several; its problems go to `problems`, any other error is thrown on. */
export function collect<T> (problems: Problem[], check: () => T): T | undefined {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof PlatformError) || error.problems === undefined) throw error
    problems.push(...error.problems)
    return undefined
  }
}

/** ` did you mean "folder"?`, or all that is allowed where nothing is near. */
export function suggest (given: string, allowed: readonly string[]): string {
  // `{ type: decimal(18, 8) }` ends the value at the comma.
  if (given.endsWith(')')) return '; inside { } a text with a comma needs quotes'
  const guess = nearest(given, allowed)
  if (guess !== undefined) return `; did you mean ${quote(guess)}?`
  return allowed.length === 0 ? '' : `; allowed: ${[...allowed].sort().map(name => /^[\w@/.-]+$/.test(name) ? name : quote(name)).join(', ')}`
}

/** The one of `allowed` that somebody who typed `given` probably meant. */
export function nearest (given: string, allowed: readonly string[]): string | undefined {
  if (allowed.length === 0 || given.length < 2 || given.length > quotedCharactersMax) return undefined
  const lower = given.toLowerCase()
  // Letters that changed places count as one mistake, and the most likely one.
  const swapped = allowed.find(name => letters(name.toLowerCase()) === letters(lower))
  if (swapped !== undefined) return swapped
  const guess = closest(lower, allowed as string[])
  return distance(lower, guess.toLowerCase()) <= Math.max(1, Math.floor(guess.length / 3)) ? guess : undefined
}

function letters (text: string): string {
  return [...text].sort().join('')
}
