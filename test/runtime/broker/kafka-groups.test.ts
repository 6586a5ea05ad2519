import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { openKafka } from '../../../runtime/broker/kafka/kafka.ts'
import { kafkaDefaults } from '../../../runtime/broker/kafka/options.ts'
import { share } from '../../../runtime/broker/kafka/shares.ts'
import { makeTopic, range, readAll, rowsOf } from '../../conform/broker.ts'
import { until } from '../../conform/context.ts'
import { startMember } from './kafka-member.ts'
import { noOwnKafka, startKafka } from '../../kafka/server.ts'
import type { Test } from 'tap'
import type { Assignment, Broker, Intent } from '../../../runtime/broker/broker.ts'
import type { Topic } from '../../../runtime/schema.ts'

const KILLS = 2
const intent: Intent = { from: 0, to: 1, rows: 1, hash: 'abc', revision: 'r1' }

await t.test('partitions are shared evenly, stay where they are, and are never given away while they are worked on', async t => {
  for (let round = 0; round < 200; round++) {
    const partitions = 1 + round % 13
    const members = new Map<string, number[]>()
    let next = 0
    for (let change = 0; change < 12; change++) {
      const gone = [...members.keys()][(round * 7 + change * 3) % Math.max(1, members.size)]
      if ((round + change) % 3 === 0 && gone !== undefined) members.delete(gone)
      else members.set(`m${next++}`, [])
      if (members.size === 0) continue
      const claims = [...members].map(([member, owned]) => ({ member, owned }))
      const owners = new Map(claims.flatMap(({ member, owned }) => owned.map(partition => [partition, member])))
      const shares = share(partitions, claims)
      const given = [...shares].flatMap(([member, got]) => got.map(partition => ({ member, partition })))
      if (new Set(given.map(({ partition }) => partition)).size !== given.length) t.fail('a partition has two owners')
      if (given.some(({ member, partition }) => (owners.get(partition) ?? member) !== member)) t.fail('a partition was taken from its owner')
      // What was withdrawn is free in the next round, and then all is shared.
      for (const [member, got] of shares) members.set(member, got)
      const settled = share(partitions, [...members].map(([member, owned]) => ({ member, owned })))
      for (const [member, got] of settled) members.set(member, got)
      const sizes = [...settled.values()].map(got => got.length)
      if (sizes.reduce((sum, size) => sum + size, 0) !== partitions || Math.max(...sizes) - Math.min(...sizes) > 1) t.fail(`${partitions} partitions are shared as ${sizes}`)
    }
  }
  t.pass('in 200 groups')
})

await t.test('groups on Apache Kafka', { skip: noOwnKafka() }, async t => {
  const kafka = await startKafka({ folder: t.testdir(), own: true })
  const brokers = kafka.brokers.split(',')
  t.teardown(() => kafka.kill())
  const open = (t: Test, sessionTimeoutMs = 10_000): Broker => {
    const broker = openKafka({ ...kafkaDefaults, brokers, sessionTimeoutMs })
    t.teardown(() => broker.close())
    return broker
  }

  await t.test('a new member gets its share when the work there has ended, and what stays is not disturbed', async t => {
    const topic = makeTopic(4)
    const group = randomUUID()
    await (await open(t).producer(topic, 'writer')).append([rowsOf(topic, 0, 100, 40)])
    const first = await work(t, open(t), topic, group)
    await until(() => first.has.size === 4, 'one member has all')
    const before = new Map(first.has)
    const second = await work(t, open(t), topic, group)
    await until(() => second.has.size === 2 && first.has.size === 2, 'each has two')
    for (const [partition, assignment] of first.has) {
      t.equal(assignment, before.get(partition), 'the same assignment as before')
      await assignment.commit((await readAll(assignment)).next, undefined)
    }
    for (const [partition, assignment] of second.has) {
      t.ok(assignment.epoch > (before.get(partition) as Assignment).epoch, 'its epoch has grown')
      t.ok(before.get(partition)?.signal.aborted, 'the first one was told')
      await t.rejects((before.get(partition) as Assignment).commit(1, undefined), { code: 'BROKER_FENCED' })
    }
    await second.close()
    await until(() => first.has.size === 4, 'all come back when the other one leaves')
  })

  await t.test('work on a partition goes on until it is settled, and only then another member gets it', async t => {
    const topic = makeTopic(2)
    const group = randomUUID()
    await (await open(t).producer(topic, 'writer')).append([rowsOf(topic, 0, 10, 10)])
    const first = await work(t, open(t), topic, group, false)
    await until(() => first.has.size === 2, 'one member has both')
    const second = await work(t, open(t), topic, group)
    const leaving = await found(() => [...first.has.values()].find(({ signal }) => signal.aborted), 'one is taken away')
    await leaving.begin(intent)
    const { next } = await readAll(leaving)
    await leaving.commit(next, { done: true })
    t.equal(second.has.size, 0, 'the other member waits')
    leaving.release()
    await until(() => second.has.size === 1, 'and gets it now')
    t.strictSame({ ...second.has.get(leaving.partition)?.committed }, { offset: next, state: { done: true }, intent: undefined })
  })

  await t.test('the partitions of a member that was silent for too long move, with its intent, and it is fenced off', async t => {
    const topic = makeTopic(1)
    const group = randomUUID()
    const producer = await open(t).producer(topic, 'writer')
    await producer.append([rowsOf(topic, 0, 10)])
    // Its process is another one, which can be stopped.
    const zombie = startMember({ brokers, topic: topic.name, group })
    t.teardown(() => zombie.kill())
    await until(() => zombie.said.includes('begun'), 'it has begun')
    zombie.pause()
    const second = await work(t, open(t, 2000), topic, group)
    const assignment = await found(() => second.has.get(0), 'its partition has moved')
    t.match(assignment.committed.intent, { hash: 'zombie' })
    await assignment.commit((await readAll(assignment)).next, 'new')
    zombie.resume()
    await until(() => zombie.said.includes('commit BROKER_FENCED') && zombie.said.includes('begin BROKER_FENCED'), 'what it had begun comes too late')
    await until(() => zombie.said.includes('lost'), 'and it is told')
    t.equal((await open(t).inspect(topic.name))?.groups[0]?.lagMs, 0)
  })

  await t.test('a seat is held by one at a time, and goes to the next one', async t => {
    const name = randomUUID()
    const [one, two] = [new AbortController(), new AbortController()]
    t.teardown(() => { one.abort(); two.abort() })
    const holders: string[] = []
    const hold = async (broker: Broker, who: string, stop: AbortSignal): Promise<void> => {
      for await (const lost of (await broker.lease(name)).held(stop)) {
        holders.push(who)
        lost.addEventListener('abort', () => holders.splice(holders.indexOf(who), 1))
      }
    }
    const first = hold(open(t), 'one', one.signal)
    await until(() => holders.includes('one'), 'the first one has it')
    const second = hold(open(t), 'two', two.signal)
    const tools = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
    await tools.connect()
    const members = async (): Promise<number> => (await tools.describeGroups([`twolane.lease.${name}`])).groups[0]?.members.length ?? 0
    await until(async () => await members() === 2, 'both have asked')
    await tools.disconnect()
    t.strictSame(holders, ['one'], 'it keeps it')
    one.abort()
    await first
    await until(() => holders.includes('two'), 'the second one has it now')
    t.strictSame(holders, ['two'])
    two.abort()
    await second
  })

  await t.test('Kafka\'s own tools show how far a group is', async t => {
    const topic = makeTopic(1)
    const group = randomUUID()
    await (await open(t).producer(topic, 'writer')).append([rowsOf(topic, 0, 10)])
    const member = await work(t, open(t), topic, group)
    const assignment = await found(() => member.has.get(0), 'it has the partition')
    await assignment.commit((await readAll(assignment)).next, undefined)
    const tools = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
    await tools.connect()
    const offset = async (): Promise<string | undefined> => (await tools.fetchOffsets({ groupId: group, topics: [topic.name] }))[0]?.partitions[0]?.offset
    const end = (await tools.fetchTopicOffsets(topic.name))[0]?.offset
    await until(async () => await offset() === end, 'they show it')
    await tools.disconnect()
  })

  await t.test('what was acknowledged is there once, also after the broker was killed in the middle', async t => {
    const topic = makeTopic(2)
    const name = 'writer'
    const broker = open(t)
    const seen = { checkpoint: 0, kills: 0 }
    const unfinished = (): boolean => seen.kills < KILLS || seen.checkpoint < 200
    const killing = (async () => {
      while (seen.kills < KILLS) {
        const { checkpoint } = seen
        await until(() => seen.checkpoint > checkpoint + 5, 'rows go on')
        await kafka.kill()
        seen.kills++
        await kafka.start()
      }
    })()
    while (unfinished()) {
      try {
        const producer = await broker.producer(topic, name)
        seen.checkpoint = (producer.checkpoint as number | undefined) ?? 0
        while (unfinished()) {
          const { checkpoint } = seen
          await producer.append([rowsOf(topic, checkpoint * 10, checkpoint * 10 + 10, 7)], { checkpoint: checkpoint + 1 })
          seen.checkpoint++
        }
      } catch (error) {
        t.match(error, { code: /BROKER_UNAVAILABLE|BROKER_FENCED/ })
      }
    }
    await killing
    const member = await work(t, open(t), topic, randomUUID())
    await until(() => member.has.size === 2, 'both partitions')
    const rows = (await Promise.all([...member.has.values()].map(async assignment => (await readAll(assignment)).rows))).flat()
    t.strictSame(rows.sort((a, b) => a - b), range(0, seen.checkpoint * 10))
  })
})

interface Work {
  /** By partition. */
  readonly has: Map<number, Assignment>
  close (): Promise<void>
}

/** A member that takes what it gets, and gives it back at once when it is told; `releases`: false: it does not. */
async function work (t: Test, broker: Broker, topic: Topic, group: string, releases = true): Promise<Work> {
  const consumer = await broker.consumer(topic, group)
  const has = new Map<number, Assignment>()
  const stop = new AbortController()
  const working = (async () => {
    for await (const assignment of consumer.assignments(stop.signal)) {
      has.set(assignment.partition, assignment)
      assignment.signal.addEventListener('abort', () => {
        if (!releases) return
        has.delete(assignment.partition)
        assignment.release()
      })
    }
  })()
  const close = async (): Promise<void> => {
    stop.abort()
    await consumer.close()
    await working
  }
  t.teardown(close)
  return { has, close }
}

async function found<T> (look: () => T | undefined, what: string): Promise<T> {
  await until(() => look() !== undefined, what)
  return look() as T
}
