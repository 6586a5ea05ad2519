// The lines that a run has logged: the last ones, as JSON, bounded.

/** Lines that are kept of a run. */
export const LINES_MAX = 500
const CHARACTERS_MAX = 2000

export interface LogLine {
  /** ms since 1970. */
  readonly time: number
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export class RunLog {
  readonly #lines: string[]

  constructor (lines: readonly string[] = []) {
    this.#lines = [...lines]
  }

  get lines (): readonly string[] {
    return this.#lines
  }

  add (line: string): void {
    this.#lines.push(line.length > CHARACTERS_MAX ? cut(line) : line.trimEnd())
    if (this.#lines.length > LINES_MAX) this.#lines.splice(0, this.#lines.length - LINES_MAX)
  }
}

const levels: Readonly<Record<number, LogLine['level']>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'error' }

export function parseLine (line: string): LogLine {
  try {
    const { level, time, msg, ...fields } = JSON.parse(line) as { level?: number, time?: number, msg?: string }
    return { time: time ?? 0, level: levels[level ?? 30] ?? 'info', message: msg ?? '', fields }
  } catch {
    // A plugin may log what is no JSON; it is shown as it is.
    return { time: 0, level: 'info', message: line, fields: {} }
  }
}

export function messageOf (line: string): string {
  return parseLine(line).message
}

/** Still JSON. */
function cut (line: string): string {
  const { time, level, message } = parseLine(line)
  const [number = '30'] = Object.entries(levels).find(([, name]) => name === level) ?? []
  return JSON.stringify({ level: Number(number), time, msg: `${message.slice(0, CHARACTERS_MAX / 2)}…` })
}
