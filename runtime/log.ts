import pino from 'pino'
import pretty from 'pino-pretty'
import type { Logger } from 'pino'

export interface LogOptions {
  /** The least important level shown on the terminal. */
  readonly level: string
  /** Takes secrets out of a line. */
  readonly mask: (line: string) => string
  /** Every line from `info` on, as JSON, masked. */
  readonly onLine: (line: string) => void
}

/** The platform's own log, and a way in for the lines that pipelines log in their threads. */
export interface PlatformLog {
  readonly logger: Logger
  /** A line from a worker, as JSON. */
  forward (line: string): void
}

/** JSON lines on stdout; on a terminal a form for people. */
export function openLog ({ level, mask, onLine }: LogOptions): PlatformLog {
  const shownFrom = level === 'silent' ? Infinity : pino.levels.values[level] ?? 30
  const out = process.stdout.isTTY ? pretty({ colorize: true, ignore: 'pid,hostname', sync: true }) : process.stdout

  function write (text: string): void {
    const line = mask(text)
    onLine(line)
    if (levelOf(line) >= shownFrom) out.write(line)
  }
  return { logger: pino({ level: level === 'debug' ? 'debug' : 'info', base: null }, { write }), forward: write }
}

/** pino writes the level first: `{"level":30,…`. */
function levelOf (line: string): number {
  return Number(line.slice(9, 11))
}
