import t from 'tap'
import { DURATION_PATTERN, formatDuration, parseDuration } from '../../runtime/duration.ts'

await t.test('a duration is a whole number and a unit, and nothing else', async t => {
  for (const [text, ms] of [['250ms', 250], ['90s', 90_000], ['15m', 900_000], ['12h', 43_200_000], ['3d', 259_200_000]] as const) {
    t.equal(parseDuration(text), ms)
    t.match(text, new RegExp(DURATION_PATTERN))
  }
  for (const text of ['', '0s', '-1s', '1.5h', '3 d', '3w', 'd', '1e3s', '9999999999s']) {
    t.equal(parseDuration(text), undefined, `"${text}"`)
    t.notMatch(text, new RegExp(DURATION_PATTERN))
  }
})

await t.test('it is written in the largest unit that divides it', async t => {
  t.strictSame([250, 90_000, 900_000, 86_400_000, 90_000_000].map(formatDuration), ['250ms', '90s', '15m', '1d', '25h'])
})
