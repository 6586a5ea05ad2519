import t from 'tap'
import { SeenFlips } from '../../../runtime/warehouse/seen-flips.ts'

await t.test('the grace of a flip begins when it is seen, whatever time it carries', async t => {
  const real = performance.now
  t.teardown(() => { performance.now = real })
  let now = 1000
  performance.now = () => now
  const seen = new SeenFlips()
  const flip = { dataset: 'quotes', topic: 'quotes', day: '2024-01-02', seq: 1 }
  t.equal(seen.ageMs(flip), 0, 'its row may have taken minutes to be written')
  now = 1900
  t.equal(seen.ageMs(flip), 900)
  t.equal(seen.ageMs({ ...flip, day: '2024-01-03', seq: 2 }), 0, 'another day')
  t.equal(seen.ageMs({ ...flip, seq: 3 }), 0, 'another flip of the day')
  now = 2000
  t.equal(seen.ageMs({ ...flip, seq: 3 }), 100)
  seen.forget(flip)
  t.equal(seen.ageMs({ ...flip, seq: 3 }), 0, 'cleaned up')
})
