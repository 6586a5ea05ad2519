// What a step of the run does when a file of the project tells it to, so that its thread can be ended from outside.

import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export type Trouble = 'throw' | 'reject' | 'exit' | 'hang'

/** The file that tells a kind of step what to do. */
export function orderFile (root: string, step: 'input' | 'transform'): string {
  return join(root, `order-${step}`)
}

/** Does what the file says, once. */
export function obey (root: string, step: 'input' | 'transform'): void {
  const file = orderFile(root, step)
  let order: Trouble
  try {
    order = readFileSync(file, 'utf8') as Trouble
  } catch {
    // There is no order.
    return
  }
  rmSync(file, { force: true })
  switch (order) {
    case 'throw': throw new Error('The run told this step to throw')
    case 'reject':
      setImmediate(() => { throw new Error('The run told this step to throw out of a timer') })
      return
    case 'exit': return process.exit(7)
    case 'hang': for (let i = 0; ; i++) i %= 7
  }
}
