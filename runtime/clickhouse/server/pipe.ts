import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'

/**
 * What the engine writes into a pipe until `done` settles. Read it to its end whatever happens: the engine waits for a
 * reader when it opens the pipe and when the pipe is full, and nothing would wake it.
 *
 * It may open and close the pipe more than once, as it does on some errors; each time the pipe comes to an end. So one
 * end is held open throughout, readers follow one another, and the last one starts when the engine is done.
 */
export async function * readPipe (path: string, done: Promise<unknown>): AsyncGenerator<Buffer, void, void> {
  const held = openToRead(path)
  let over = false
  const finish = () => {
    over = true
    endPipe(path)
  }
  done.then(finish, finish)
  try {
    let last: boolean
    do {
      last = over
      const reader = new Socket({ fd: openToRead(path), readable: true, writable: false })
      if (last) endPipe(path)
      for await (const piece of reader as AsyncIterable<Buffer>) yield piece
    } while (!last)
  } finally {
    closeSync(held)
  }
}

/** The writer comes later, so opening must not wait for it. */
function openToRead (path: string): number {
  return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
}

/** A writer that comes and goes leaves an end behind, also when the engine never opened the pipe. */
function endPipe (path: string): void {
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK))
  } catch {
    // Nobody reads any more: the end has been seen.
  }
}
