import { join } from 'node:path'
import { openEmbedded } from './embedded.ts'
import type { Broker } from './broker.ts'

/** The broker that the configuration names. */
export function openBroker ({ dataFolder }: { readonly dataFolder: string }): Broker {
  return openEmbedded({ folder: join(dataFolder, 'topics') })
}
