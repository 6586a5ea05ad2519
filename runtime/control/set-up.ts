// All that sets up the platform over the network: what there is, the test of what is to be, the change, the way out.

import { changeRoutes } from './changes.ts'
import { checkRoutes } from './check.ts'
import { exportRoutes } from './export.ts'
import { fileRoutes } from './files.ts'
import { guideRoutes } from './guide.ts'
import { pluginRoutes } from './plugins.ts'
import { proposeRoutes } from './propose.ts'
import { sourceRoutes } from './sources.ts'
import { teardownRoutes } from './teardown.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

export function setUpRoutes (app: FastifyInstance, platform: Platform): void {
  for (const routes of [pluginRoutes, sourceRoutes, fileRoutes, checkRoutes, proposeRoutes, changeRoutes, exportRoutes, teardownRoutes, guideRoutes]) routes(app, platform)
}
