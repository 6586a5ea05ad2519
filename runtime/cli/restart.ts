// `twolane restart`

import { pipelineAction } from './pipeline-action.ts'

export const run = pipelineAction('restart')
