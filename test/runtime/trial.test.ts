// How a step is between its failure and its next success.

import t from 'tap'
import { mock } from 'node:test'
import { Trial } from '../../runtime/trial.ts'
import type { Health } from '../../runtime/plugin.ts'

function trial (): { readonly trial: Trial, readonly said: Health[] } {
  const said: Health[] = []
  return { trial: new Trial(health => said.push(health)), said }
}

await t.test('a step that has failed is well when rows went through, not when it was only opened again', async t => {
  const { trial: step, said } = trial()
  step.begun()
  step.failed('no answer')
  step.begun()
  step.sent()
  t.same(said.map(({ ok }) => ok), [true, false, false])
  t.match(said.at(-1), { state: 'retrying', reason: 'no answer' })
  step.succeeded()
  t.match(said.at(-1), { ok: true, state: 'running' })
  step.succeeded()
  t.equal(said.length, 4, 'said once')
})

await t.test('one that lasts with nothing in flight is well, and one that waits for an answer is not', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  for (const isBusy of [false, true]) {
    const { trial: step, said } = trial()
    step.failed('no answer')
    step.begun()
    step.sent()
    if (!isBusy) step.idle()
    mock.timers.tick(3_600_000)
    t.equal(said.at(-1)?.ok, !isBusy)
  }
  const { trial: step, said } = trial()
  step.failed('no answer')
  step.begun()
  step.told({ ok: false, state: 'needs_login', reason: 'Log in' })
  step.succeeded()
  t.equal(said.at(-1)?.state, 'needs_login', 'what a plugin says of itself stands')
})
