import { lakeCompaction } from '../lake/compaction.ts'
import { qualityTask } from '../quality/task.ts'
import type { Platform } from '../platform.ts'
import type { Task } from './task.ts'

/** All jobs that the platform brings along. Each has its id in task-ids.ts. Called once, before the platform's pipelines start. */
export function tasksOf (platform: Omit<Platform, 'fleet' | 'peers' | 'jobs'>): Task[] {
  const { root, clickhouse, warehouse, supervisor, config } = platform
  return [
    lakeCompaction({ pipelines: () => supervisor.files.pipelines.values(), schemas: () => supervisor.schemas, dataFolder: config.dataFolder }),
    qualityTask({ root, clickhouse, warehouse, pipelines: () => supervisor.files.pipelines.values(), schemas: () => supervisor.schemas })
  ]
}
