// The gateway that a pipeline names: reached over the network, or simulated for as long as the connection lives.

import { Agent } from 'undici'
import { PlatformError } from '../../../runtime/errors.ts'
import { Rest } from './rest.ts'
import { tickle } from './session.ts'
import { tlsOptions } from './socket.ts'
import type { GatewaySettings } from './gateway-options.ts'
import type { SimulatorOptions } from './simulator/settings.ts'

/** In the place of an address. */
export const simulatorAddress = 'simulator'

/** The address of the gateway; `simulator` is started, and ends with the disposal. */
export async function openGateway (address: string, options: SimulatorOptions = {}): Promise<{ readonly url: string } & AsyncDisposable> {
  if (address !== simulatorAddress) return { url: address, async [Symbol.asyncDispose] () {} }
  const { startSimulator } = await import('./simulator/simulator.ts')
  const simulator = await startSimulator({ port: 0, ...options })
  return { url: simulator.url, [Symbol.asyncDispose]: () => simulator.close() }
}

/** The connection test. Throws SOURCE_UNAVAILABLE with the reason why the gateway cannot be worked with. */
export async function probeGateway (settings: GatewaySettings, signal: AbortSignal): Promise<void> {
  const dispatcher = new Agent({ connect: tlsOptions(settings) })
  try {
    const rest = new Rest({
      api: settings.api, dispatcher, requestsPerSecond: settings.requestsPerSecond, penaltyMs: 0, signal, penalty: () => {}, counted: () => {}
    })
    const standing = await tickle(rest, settings.api)
    // Another program may hold the session: with takeover the connector can still work.
    if (standing.state === 'ready' || (standing.state === 'competing' && settings.takeover !== 'never')) return
    throw new PlatformError('SOURCE_UNAVAILABLE', standing.reason, { where: 'gateway' })
  } finally {
    await dispatcher.destroy()
  }
}
