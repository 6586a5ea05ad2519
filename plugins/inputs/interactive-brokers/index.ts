import { defineInput } from '../../../runtime/plugin.ts'
import { Connector } from './connector.ts'
import { names } from './fields.ts'
import { openGateway, probeGateway, simulatorAddress } from './gateway.ts'
import { options, settle } from './options.ts'

export default defineInput({
  description: 'Streams market data of Interactive Brokers through the Client Portal gateway, and records and fills its gaps',
  options,
  names,

  async * read (config, context) {
    await using gateway = await openGateway(config.gateway)
    const stop = new AbortController()
    const connector = new Connector(settle({ ...config, gateway: gateway.url }), context, AbortSignal.any([context.signal, stop.signal]))
    const running = connector.run().then(() => connector.outbox.end(), error => connector.outbox.end(error as Error))
    try {
      yield * connector.outbox.chunks()
    } finally {
      stop.abort()
      await running
    }
  },

  async probe (config, context) {
    if (config.gateway !== simulatorAddress) await probeGateway(settle(config), context.signal)
  }
})
