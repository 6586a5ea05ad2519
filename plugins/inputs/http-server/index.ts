// Rows that others post over HTTP (a webhook). A sender that gets 200 knows that its rows are durable; one that gets
// anything else, or nothing, sends them again.

import { PlatformError } from '../../../runtime/errors.ts'
import { fromRows, rowsThatFit } from '../../../runtime/batch.ts'
import { defineInput } from '../../../runtime/plugin.ts'
import { authenticator } from './authenticate.ts'
import { Inbox } from './inbox.ts'
import { listen } from './listen.ts'
import { options } from './options.ts'
import type { Chunk, Context, Topic } from '../../../runtime/plugin.ts'
import type { Post } from './inbox.ts'
import type { HttpServerConfig } from './options.ts'

/** Rows of one batch at most: a post of many tiny rows would fill the memory as one. */
const chunkRows = 10_000

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
          yield * chunksOf(posts, topic)
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

/** All rows of the posts. They are durable when the next chunk after the last one is asked for. */
function * chunksOf (posts: readonly Post[], topic: Topic): Generator<Chunk, void, void> {
  const rows = posts.length === 1 ? (posts[0] as Post).rows : posts.flatMap(post => post.rows)
  const bytes = posts.reduce((sum, post) => sum + post.bytes, 0)
  for (let from = 0; from < rows.length;) {
    const count = rowsThatFit(rows, from, Math.min(rows.length, from + chunkRows))
    yield { batch: fromRows(topic, rows.slice(from, from + count), Math.ceil(bytes * count / rows.length)) }
    from += count
  }
}

function warnIfOpen ({ host, token, signature_secret: secret }: HttpServerConfig, { log }: Context): void {
  const local = host === 'localhost' || host === '::1' || host.startsWith('127.')
  if (!local && token === null && secret === null) log.warn({ host }, 'Everybody who reaches the address can post rows: set token or signature_secret')
}
