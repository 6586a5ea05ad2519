// The platform's own embedded broker, with its files in memory, and between it and the loops all that can happen to a
// call. Waiting for rows is done on virtual time.

import { PlatformError } from '../../runtime/errors.ts'
import type { Assignment, Broker, Consumer, Producer } from '../../runtime/broker/broker.ts'
import type { Checker } from './checker.ts'
import type { FaultKind, Faults } from './faults.ts'
import type { VirtualTime } from './virtual-time.ts'

const error = (): Error => new PlatformError('BROKER_UNAVAILABLE', 'the disk does not answer')
const unclear: readonly FaultKind[] = ['unanswered']
/** Harmless by the contract of the broker. */
const repeatable: readonly FaultKind[] = ['unanswered', 'repeated']
/** Until a reader has heard of new rows. */
const NEWS_MS_MAX = 100

export interface BrokerParts {
  readonly time: VirtualTime
  readonly faults: Faults
  readonly random: () => number
  readonly checker: Pick<Checker, 'appended' | 'committed'>
  /** A broken broker: a checkpoint is durable before its rows. */
  readonly checkpointFirst?: boolean
}

interface Parts extends BrokerParts {
  /** Of who waits for rows. */
  readonly waiting: Set<() => void>
}

export function simulatedBroker (real: Broker, given: BrokerParts): Broker {
  const parts: Parts = { ...given, waiting: new Set() }
  const { faults } = parts
  const call = <T> (name: string, may: readonly FaultKind[], effect: () => Promise<T>): Promise<T> => faults.call(`topic: ${name}`, { may, error, inProcess: true }, effect)
  return {
    ...real,
    producer: (topic, name) => call(`producer ${topic.name} ${name}`, unclear, async () => simulatedProducer(await real.producer(topic, name), topic.name, parts)),
    consumer: (topic, group) => call(`consumer ${group}`, [], async () => simulatedConsumer(await real.consumer(topic, group), group, parts)),
    topics: () => call('topics', [], () => real.topics()),
    inspect: topic => call(`inspect ${topic}`, [], () => real.inspect(topic))
  }
}

function simulatedProducer (real: Producer, topic: string, { faults, checker, waiting, checkpointFirst = false }: Parts): Producer {
  return {
    get checkpoint () { return real.checkpoint },
    append (batches, options = {}) {
      const rows = batches.reduce((sum, { length }) => sum + length, 0)
      const { checkpoint, sequence } = options
      const name = `topic: append ${rows} to ${topic}${checkpoint === undefined ? '' : `, checkpoint ${JSON.stringify(checkpoint).slice(0, 20)}`}`
      const early = checkpointFirst && checkpoint !== undefined && rows > 0 && sequence === undefined
      const append = (given: Parameters<Producer['append']>[0], more: typeof options): Promise<void> => faults.call(name, { may: sequence === undefined ? unclear : repeatable, error, inProcess: true }, async () => {
        await real.append(given, more)
        for (const wake of waiting) wake()
        await checker.appended(topic, more.checkpoint)
      })
      return early ? append([], { checkpoint }).then(() => append(batches, {})) : append(batches, options)
    },
    close: () => real.close()
  }
}

function simulatedConsumer (real: Consumer, group: string, parts: Parts): Consumer {
  return {
    async * assignments (signal) {
      for await (const assignment of real.assignments(signal)) yield simulatedAssignment(assignment, group, parts)
    },
    close: () => real.close()
  }
}

function simulatedAssignment (real: Assignment, group: string, { time, faults, random, checker, waiting }: Parts): Assignment {
  const { partition } = real
  const call = <T> (name: string, may: readonly FaultKind[], effect: () => Promise<T>): Promise<T> => faults.call(`topic: ${name} of ${group}/${partition}`, { may, error, inProcess: true }, effect)
  return {
    partition,
    epoch: real.epoch,
    signal: real.signal,
    committed: real.committed,
    read: (offset, limits) => real.read(offset, limits),
    async wait (offset, ms, signal) {
      if (signal.aborted || (await real.bounds()).next > offset) return
      const news = new AbortController()
      const wake = (): void => news.abort()
      waiting.add(wake)
      await time.sleep(ms, AbortSignal.any([signal, news.signal])).catch(() => { /* the caller looks for itself */ })
      waiting.delete(wake)
      if (news.signal.aborted) await time.sleep(random() * NEWS_MS_MAX)
    },
    bounds: () => real.bounds(),
    release: () => real.release(),
    begin: intent => call(`begin [${intent.from}, ${intent.to})`, repeatable, () => real.begin(intent)),
    commit: (offset, state) => call(`commit ${offset}`, repeatable, async () => {
      await real.commit(offset, state)
      await checker.committed(group, partition, offset)
    })
  }
}
