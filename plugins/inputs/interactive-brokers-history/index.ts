import { defineInput } from '../../../runtime/plugin.ts'
import { barsMs } from '../interactive-brokers/bars.ts'
import { names } from '../interactive-brokers/fields.ts'
import { openGateway, probeGateway, simulatorAddress } from '../interactive-brokers/gateway.ts'
import { options, settle } from './options.ts'
import { Reader } from './reader.ts'
import type { BarName } from '../interactive-brokers/bars.ts'
import type { SimulatorOptions } from '../interactive-brokers/simulator/settings.ts'

/** A market in which every recorded day takes as long as a bar, from one moment on: each run finds the same history. */
function simulated (bar: BarName): SimulatorOptions {
  return { anchorMs: Date.UTC(2024, 0, 1), speed: barsMs['1min'] / barsMs[bar] }
}

export default defineInput({
  description: 'Reads bars of Interactive Brokers, by instrument and interval, from the history of the Client Portal gateway',
  options,
  names,
  bounded: true,
  interval: () => true,

  async * read (config, context) {
    await using gateway = await openGateway(config.gateway, simulated(config.bar))
    yield * new Reader(settle({ ...config, gateway: gateway.url }), context).chunks()
  },

  async probe (config, context) {
    if (config.gateway !== simulatorAddress) await probeGateway(settle(config), context.signal)
  }
})
