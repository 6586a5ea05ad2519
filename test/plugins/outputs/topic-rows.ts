import { openEmbedded } from '../../../runtime/broker/embedded.ts'
import { field } from '../../../runtime/schema.ts'
import { fakeTopic } from '../../conform/context.ts'
import type { Services } from '../../../runtime/plugin.ts'

export { batchOf, topic } from '../../conform/rows.ts'

/** A topic that names a field otherwise, requires one that nobody sends, and does not know another. */
export const target = fakeTopic('target', [
  field('number', { kind: 'string' }, { aliases: ['n'] }), field('venue', { kind: 'string' }, { required: true })
])

export const topics = [target]

export async function services (dataFolder: string): Promise<{ readonly services: Services, close (): Promise<void> }> {
  const broker = openEmbedded({ folder: dataFolder })
  return { services: { producer: (topic, name) => broker.producer(topic, name) }, close: () => broker.close() }
}
