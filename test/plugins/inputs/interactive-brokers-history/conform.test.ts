import t from 'tap'
import plugin from '../../../../plugins/inputs/interactive-brokers-history/index.ts'
import { startSimulator } from '../../../../plugins/inputs/interactive-brokers/simulator/simulator.ts'
import { conformInput } from '../../../conform/input.ts'
import { answeringGateway } from './gateway.ts'
import type { Json } from '../../../../runtime/plugin.ts'

const dayMs = 86_400_000
// A year of days before the time of the suite's clock, and room for its rows.
const firstMs = Date.UTC(2023, 1, 1)

await conformInput(t, {
  plugin,
  replays: true,
  number: row => ((row['t'] as number) - firstMs) / dayMs,
  async source () {
    const bars: object[] = []
    let malformed = 0
    const gateway = await answeringGateway(() => {
      // What is no bar is given once.
      const broken = malformed > 0 ? [{ o: 1, t: 'soon' }] : []
      malformed = 0
      return { barLength: 86_400, data: [...bars, ...broken] }
    })
    return {
      config: common(gateway.url),
      produce: (from, to) => { for (let n = from; n < to; n++) bars.push({ o: 1, h: 2, l: 1, c: 2, v: 10, t: firstMs + n * dayMs }) },
      malformed: () => ++malformed,
      close: () => gateway.close()
    }
  },
  async silent () {
    const simulator = await startSimulator({ requestsPerSecond: 0, faults: [{ name: 'sso-expired' }] })
    return { config: common(simulator.url), produce () {}, close: () => simulator.close() }
  },
  async broken () {
    const gateway = await answeringGateway(() => ({}))
    return { config: { ...common(gateway.url), start: '2023-02-30' }, says: /start: There is no such day as 2023-02-30/, close: () => gateway.close() }
  }
})

function common (gateway: string): Record<string, Json> {
  return { gateway, instruments: [265598], bar: '1d', start: '355d', settle_seconds: 0, poll_seconds: 0.01, requests_per_second: 50, tickle_seconds: 0.05, retry_seconds: 0.01, retry_seconds_max: 0.05 }
}
