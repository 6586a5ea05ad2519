import { Agent } from 'undici'
import { PlatformError } from '../../../runtime/errors.ts'
import { defineInput } from '../../../runtime/plugin.ts'
import { Connector } from './connector.ts'
import { names } from './fields.ts'
import { options, settle } from './options.ts'
import { Rest } from './rest.ts'
import { tickle } from './session.ts'
import { tlsOptions } from './socket.ts'

/** In the place of an address: a gateway of our own, for as long as the connection lives. */
const simulatorAddress = 'simulator'

async function openGateway (address: string): Promise<{ readonly url: string } & AsyncDisposable> {
  if (address !== simulatorAddress) return { url: address, async [Symbol.asyncDispose] () {} }
  const { startSimulator } = await import('./simulator/simulator.ts')
  const simulator = await startSimulator({ port: 0 })
  return { url: simulator.url, [Symbol.asyncDispose]: () => simulator.close() }
}

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
    if (config.gateway === simulatorAddress) return
    const settings = settle(config)
    const dispatcher = new Agent({ connect: tlsOptions(settings) })
    try {
      const rest = new Rest({
        api: settings.api, dispatcher, requestsPerSecond: settings.requestsPerSecond, penaltyMs: 0, signal: context.signal, penalty: () => {}, counted: () => {}
      })
      const standing = await tickle(rest, settings.api)
      // Another program may hold the session: with takeover the connector can still work.
      if (standing.state === 'ready' || (standing.state === 'competing' && settings.takeover !== 'never')) return
      throw new PlatformError('SOURCE_UNAVAILABLE', standing.reason, { where: 'gateway' })
    } finally {
      await dispatcher.destroy()
    }
  }
})
