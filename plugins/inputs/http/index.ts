// Rows of a REST source, page by page: all of them, what is new, or an interval of time.

import { pause } from '../../../runtime/backoff.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { defineInput } from '../../../runtime/plugin.ts'
import { checkParts, checkTimes, requestsInterval } from './check.ts'
import { Client } from './client.ts'
import { options } from './options.ts'
import { PageReader } from './page.ts'
import { firstPlace, Pager } from './paging.ts'
import { Reading } from './reading.ts'
import type { HttpConfig } from './options.ts'
import type { Checkpoint } from './reading.ts'

export default defineInput({
  description: 'Rows of a REST source, page by page: all of them, what is new, or an interval of time',
  options,
  shorthand: 'url',
  bounded: true,
  interval: config => requestsInterval(config as unknown as HttpConfig),

  async * read (given, context) {
    // The schema of the options has checked the maps.
    const config = given as unknown as HttpConfig
    const { signal, run, health } = context
    checkParts(config)
    const times = checkTimes(config)
    let saved = context.checkpoint as Checkpoint | undefined
    if (times.used && run === undefined && times.start === undefined && saved?.end === undefined) {
      throw new PlatformError('CONFIG_INVALID', 'nobody says where the first interval begins', { where: 'input.http.start', remedy: 'Set start, or give the pipeline a schedule.' })
    }
    // A run that ended, and whose end nobody heard of.
    if (run !== undefined && saved?.done === true && saved.run === run.id) return
    const client = new Client(config, context)
    try {
      while (!signal.aborted) {
        health({ ok: true, state: 'reading' })
        for await (const chunk of new Reading({ config, times, client, context, saved }).chunks()) {
          yield chunk
          saved = chunk.checkpoint as unknown as Checkpoint
        }
        if (run !== undefined || config.poll_seconds === null || signal.aborted) return
        health({ ok: true, state: 'waiting' })
        await pause(config.poll_seconds * 1000, signal)
      }
    } finally {
      await client.close()
    }
  },

  async probe (given, context) {
    const config = given as unknown as HttpConfig
    checkParts(config)
    const times = checkTimes(config)
    const client = new Client({ ...config, retries: 0 }, context)
    try {
      const to = context.clock.now()
      const pass = times.used ? { from: to - (times.windowMs ?? 3_600_000), to } : {}
      const answer = await client.ask(new Pager(config).ask(pass, firstPlace))
      if (answer !== undefined) new PageReader(config, context.topic).read(answer)
    } finally {
      await client.close()
    }
  }
})
