// Rows that others post over HTTP (a webhook). A sender that gets 200 knows that its rows are durable; one that gets
// anything else, or nothing, sends them again.

import { PlatformError } from '../../../runtime/errors.ts'
import { defineInput, fromRows } from '../../../runtime/plugin.ts'
import { authenticator } from './authenticate.ts'
import { Inbox } from './inbox.ts'
import { listen } from './listen.ts'
import { options } from './options.ts'
import type { Context } from '../../../runtime/plugin.ts'
import type { HttpServerConfig } from './options.ts'

export default defineInput({
  description: 'Rows that others post over HTTP as JSON or NDJSON; 200 means that they are durable',
  options,
  shorthand: 'port',

  async * read (config, context) {
    const { signal, topic } = context
    warnIfOpen(config, context)
    const inbox = new Inbox(config, context)
    const listener = await listen(config, { inbox, authenticate: authenticator(config) }, context)
    context.health({ ok: true, state: 'listening' })
    try {
      while (true) {
        const posts = await inbox.take(config.batch_rows, signal)
        if (posts.length === 0) return
        let durable = false
        try {
          yield { batch: fromRows(topic, posts.flatMap(post => post.rows), posts.reduce((bytes, post) => bytes + post.bytes, 0)) }
          durable = true
        } finally {
          inbox.settle(posts, durable)
        }
      }
    } finally {
      await listener.close()
    }
  },

  /** An address in use is fine: the pipeline itself may be the one that listens. */
  async probe (config, context) {
    const inbox = new Inbox(config, context)
    try {
      const listener = await listen(config, { inbox, authenticate: authenticator(config) }, context)
      await listener.close()
    } catch (error) {
      if (!(error instanceof PlatformError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE')) throw error
    }
  }
})

function warnIfOpen ({ host, token, signature_secret: secret }: HttpServerConfig, { log }: Context): void {
  const local = host === 'localhost' || host === '::1' || host.startsWith('127.')
  if (!local && token === null && secret === null) log.warn({ host }, 'Everybody who reaches the address can post rows: set token or signature_secret')
}
