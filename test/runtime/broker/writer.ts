// Appends numbered rows to a topic, and says after each append up to which row they are durable. Run as a process it
// goes on until it is killed; run as a thread it ends at `to`.

import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { fromRows } from '../../../runtime/batch.ts'
import { openEmbedded } from '../../../runtime/broker/embedded.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { fakeTopic } from '../../conform/context.ts'

export interface Orders {
  readonly folder: string
  readonly writer: string
  readonly to: number
  /** A failed append is said, too, and tried again. */
  readonly again?: boolean
}

export const topic = { ...fakeTopic('rows', ['n', 'writer', 'text']), key: ['writer'], partitions: 2 }

async function write ({ folder, writer, to, again = false }: Orders, say: (text: string) => void): Promise<void> {
  const broker = openEmbedded({ folder })
  const producer = await broker.producer(topic, writer)
  let next = (producer.checkpoint ?? 0) as number
  while (next < to) {
    const end = Math.min(to, next + 1 + next % 97)
    const rows = Array.from({ length: end - next }, (_, i) => ({ n: next + i, writer, text: `row ${next + i} of ${writer} `.repeat(20) }))
    try {
      await producer.append([fromRows(topic, rows.slice(0, 40)), fromRows(topic, rows.slice(40))], { checkpoint: end })
    } catch (error) {
      if (!again || !(error instanceof PlatformError)) throw error
      say(error.code)
      await sleep(50)
      continue
    }
    next = end
    say(String(next))
  }
  await broker.close()
}

// At its size limit a file gives an error to a process that takes the signal, and ends any other.
if (isMainThread) process.on('SIGXFSZ', () => {})

if (!isMainThread && (workerData as Orders | undefined)?.writer !== undefined) await write(workerData as Orders, text => parentPort?.postMessage(text))
else if (import.meta.main) await write(JSON.parse(process.argv[2] as string) as Orders, text => { writeSync(1, `${text}\n`) })
