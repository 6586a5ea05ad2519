// `twolane resume`

import { pipelineAction } from './pipeline-action.ts'

export const run = pipelineAction('resume')
