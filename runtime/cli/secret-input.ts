// A password from the person at the terminal, unseen, or from what is piped in; never from the command line, which others
// on the machine can read.

import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { UsageError } from './terminal.ts'

/** The first line of the input. Throws a UsageError where there is none. */
export async function readSecret (question: string, input: NodeJS.ReadStream = process.stdin): Promise<string> {
  const isTerminal = input.isTTY
  if (isTerminal) process.stderr.write(question)
  // Without an output of its own readline shows what is typed.
  const lines = createInterface({ input, output: new Writable({ write: (_chunk, _encoding, done) => done() }), terminal: isTerminal })
  try {
    for await (const line of lines) {
      if (line !== '') return line
    }
    throw new UsageError('A password is read from the terminal, or from what is piped in, and there was none')
  } finally {
    lines.close()
    if (isTerminal) process.stderr.write('\n')
  }
}
