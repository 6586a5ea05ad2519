import t from 'tap'
import { openEmbedded } from '../../../runtime/broker/embedded.ts'
import { conformBroker } from '../../conform/broker.ts'

await t.test('the embedded broker holds what every broker has to', async t => {
  await conformBroker(t, {
    place: t => {
      const folder = t.testdir()
      return { open: () => openEmbedded({ folder }) }
    }
  })
})
