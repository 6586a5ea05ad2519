// Lines of an answer as they come.

import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** Those that are not empty. Ends without an error where the reader itself has ended the answer. */
export async function * lines (body: Readable): AsyncGenerator<string, void, void> {
  const ended = new Promise<Error | undefined>(resolve => body.once('error', resolve).once('close', () => resolve(undefined)))
  // It would throw what the stream throws, at no place that can be caught.
  const reader = createInterface({ input: body, crlfDelay: Infinity })
  body.once('error', () => reader.close())
  for await (const line of reader) if (line !== '') yield line
  const error = await ended
  if (error !== undefined && error.name !== 'AbortError') throw error
}
