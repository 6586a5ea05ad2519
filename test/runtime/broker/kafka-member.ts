// A member of a group in a process of its own, for tests that stop it: it begins, and goes on when its standard input
// says so.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { openKafka } from '../../../runtime/broker/kafka/kafka.ts'
import { kafkaDefaults } from '../../../runtime/broker/kafka/options.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { makeTopic } from '../../conform/broker.ts'

interface Orders { readonly brokers: readonly string[], readonly topic: string, readonly group: string }

export interface MemberProcess {
  /** All that it said. */
  readonly said: string[]
  pause (): void
  /** It goes on, and tries what it was about to do. */
  resume (): void
  kill (): void
}

export function startMember (orders: Orders): MemberProcess {
  const child = spawn(process.execPath, [import.meta.filename, JSON.stringify(orders)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const said: string[] = []
  createInterface(child.stdout).on('line', line => said.push(line))
  return {
    said,
    pause: () => child.kill('SIGSTOP'),
    resume () {
      child.kill('SIGCONT')
      child.stdin.write('go on\n')
    },
    kill: () => child.kill('SIGKILL')
  }
}

async function main ({ brokers, topic, group }: Orders): Promise<void> {
  const broker = openKafka({ ...kafkaDefaults, brokers, sessionTimeoutMs: 2000 })
  const consumer = await broker.consumer(makeTopic(1, { name: topic }), group)
  const say = (text: string): void => { process.stdout.write(`${text}\n`) }
  for await (const assignment of consumer.assignments(new AbortController().signal)) {
    assignment.signal.addEventListener('abort', () => say('lost'))
    await assignment.begin({ from: 0, to: 10, rows: 10, hash: 'zombie', revision: 'r1' })
    say('begun')
    await new Promise(resolve => process.stdin.once('data', resolve))
    for (const [what, attempt] of [['commit', () => assignment.commit(10, 'old')], ['begin', () => assignment.begin({ from: 10, to: 20, rows: 1, hash: 'late', revision: 'r1' })]] as const) {
      await attempt().then(() => say(what), (error: unknown) => say(`${what} ${error instanceof PlatformError ? error.code : String(error)}`))
    }
    assignment.release()
  }
}

if (process.argv[1] === import.meta.filename) await main(JSON.parse(process.argv[2] as string) as Orders)
