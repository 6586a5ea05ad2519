// The points of the sweep that matter most, and some of the others. `npm run sweep` has all of them.

import t from 'tap'
import { operations } from './operation.ts'
import { calls, faults, straceMissing } from './strace.ts'
import { Swept } from './sweep.ts'
import { auditedAppends } from './audit.ts'
import { random } from '../runtime/warehouse/days.ts'
import type { Injection } from './strace.ts'

const skip = straceMissing ?? false
const SEED = 7
/** Of each operation. */
const POINTS = 3

await t.test('S2, S4, S12, S13, S50: whatever call of an operation fails or is the last one, what was acknowledged is there, whole and once', { skip }, async t => {
  const next = random(SEED)
  const among = <A>(given: readonly A[]): A => given[Math.floor(next() * given.length)] as A
  for (const name of Object.keys(operations)) {
    const swept = await Swept.open(name)
    t.teardown(() => swept.close())
    const made = await swept.count()
    const points: Injection[] = []
    for (let i = 0; i < POINTS; i++) {
      // Syncs in any case: a promise begins there.
      const names = (i === 0 ? calls.sync : Object.values(calls).flat()).filter(call => made.has(call))
      const call = among(names)
      points.push({ call, fault: faults[i % faults.length] ?? 'SIGKILL', at: 1 + Math.floor(next() * (made.get(call) ?? 1)) })
    }
    for (const point of points) {
      const { hit, end, ...found } = await swept.at(point)
      t.match(found, { lost: 0, doubled: 0, half: 0, promised: [] }, `${name}: ${point.fault} at ${point.call} ${point.at}: ${hit ? end : 'not reached'}`)
    }
  }
})

await t.test('a topic that begins anew never uses an offset again, also where its epoch could not be written', { skip }, async t => {
  const swept = await Swept.open('topic made anew')
  t.teardown(() => swept.close())
  for (const fault of ['SIGKILL', 'ENOSPC'] as const) t.match(await swept.at({ call: 'write', fault, at: 1 }), { hit: true, lost: 0, doubled: 0, half: 0, promised: [] }, fault)
})

await t.test('P7: of 1,000 appends each is synced between its last write and its acknowledgement', { skip }, async t => {
  const { appends, unsynced, failed } = await auditedAppends(1000)
  t.equal(appends, 1000)
  t.strictSame(unsynced, [])
  t.strictSame(failed, [], 'nothing else of what was acknowledged was on its way')
})
