import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { UsageError } from './terminal.ts'
import type { PipelineStatus } from '../managed.ts'
import type { Command } from './terminal.ts'

/** `twolane pause|resume|restart <pipeline>`. Resolves to 1 where the pipeline is not healthy afterwards. */
export function pipelineAction (action: 'pause' | 'resume' | 'restart'): Command['run'] {
  return async (args, terminal) => {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: adminOptions })
    const [id, ...others] = positionals
    if (id === undefined || others.length > 0) throw new UsageError('One pipeline must be named')
    const admin = await connect(terminal, values.token)
    const { state, healthy, reasons } = await admin.json<PipelineStatus>('POST', `/v1/pipelines/${encodeURIComponent(id)}/${action}`)
    terminal.print(`${id} is ${state}${reasons.length === 0 ? '' : `: ${reasons.join('; ')}`}`)
    return healthy ? 0 : 1
  }
}
