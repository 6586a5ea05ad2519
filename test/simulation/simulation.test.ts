import t from 'tap'
import { shrink, story } from './shrink.ts'
import { simulate } from './world.ts'
import type { Break } from './world.ts'

const SEEDS = 200
/** A broken part is found within so many. */
const SEEDS_BROKEN = 40

await t.test('200 seeds: each row is in each destination once or rejected, whatever fails', async t => {
  const kinds = new Set<string>()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const outcome = await simulate({ seed })
    if (outcome.failure !== undefined) return t.fail(story(await shrink(outcome, { seed })))
    for (const { kind } of outcome.faults) kinds.add(kind)
  }
  t.equal(kinds.size, 9, 'with faults of all kinds')
})

await t.test('a seed gives the same run again', async t => {
  const [one, two] = [await simulate({ seed: 7 }), await simulate({ seed: 7 })]
  t.ok(one.trace.length > 100)
  t.strictSame(one.trace, two.trace)
})

const broken: Readonly<Record<Break, RegExp>> = {
  'checkpoint before its rows': /invariant 1/,
  'commit before the flush': /invariant 2/,
  'read-back finds nothing': /twice/,
  'engine forgets': /does not see/,
  'handoff deletes early': /does not see/,
  'store overwrites': /of the lake was replaced/
}

for (const [part, says] of Object.entries(broken) as Array<[Break, RegExp]>) {
  await t.test(`a broken part is found: ${part}`, async t => {
    for (let seed = 1; seed <= SEEDS_BROKEN; seed++) {
      const { failure } = await simulate({ seed, broken: part })
      if (failure !== undefined) return t.match(failure, says, `at seed ${seed}`)
    }
    t.fail(`not found in ${SEEDS_BROKEN} seeds`)
  })
}

await t.test('a failure is told with as few faults as make it fail', async t => {
  const broken: Break = 'read-back finds nothing'
  for (let seed = 1; ; seed++) {
    const outcome = await simulate({ seed, broken })
    if (outcome.failure === undefined || outcome.faults.length < 4) continue
    const least = await shrink(outcome, { seed, broken })
    t.ok(least.faults.length < outcome.faults.length, `${least.faults.length} of ${outcome.faults.length} faults are left`)
    return t.match(story(least), /◀/)
  }
})
