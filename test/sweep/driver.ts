// The process that is swept: node driver.ts <operation> <folder>. It says `ready <its id>`, waits for a line, and says
// `ack <number>` for what it promises, `failed <code>` for what went wrong and is tried again, and `done`.

import { writeSync } from 'node:fs'
import { once } from 'node:events'
import { PlatformError } from '../../runtime/errors.ts'
import { operationNamed } from './operation.ts'

const [name = '', folder = ''] = process.argv.slice(2)
const operation = await operationNamed(name)
const say = (text: string): void => { writeSync(1, `${text}\n`) }

const work = await operation.open(folder)
say(`ready ${process.pid}`)
await once(process.stdin, 'data')
await work.run({
  ack: to => say(`ack ${to}`),
  failed (error) {
    const { code } = error as { code?: string }
    if (code === undefined) throw error
    say(`failed ${code}`)
    if (error instanceof PlatformError && !error.retryable) throw error
  }
})
await work.close()
say('done')
process.exit(0)
