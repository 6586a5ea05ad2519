// `twolane pause`

import { pipelineAction } from './pipeline-action.ts'

export const run = pipelineAction('pause')
