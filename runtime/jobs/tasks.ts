import { backupTask } from '../backup/task.ts'
import { lakeCompaction } from '../lake/compaction.ts'
import { handoffTask, waitingOf } from '../warehouse/task.ts'
import { parityTask } from '../parity/task.ts'
import { qualityTask } from '../quality/task.ts'
import { testTask } from '../health/test-task.ts'
import { replayTask } from '../replay/task.ts'
import type { Opening } from '../platform.ts'
import type { Task } from './task.ts'

/** All jobs that the platform brings along. Each has its id in task-ids.ts. Called once, before the platform's pipelines start. */
export function tasksOf (platform: Opening): Task[] {
  const { root, clickhouse, warehouse, supervisor, config } = platform
  return [
    lakeCompaction({ pipelines: () => supervisor.files.pipelines.values(), schemas: () => supervisor.schemas, dataFolder: config.dataFolder }),
    handoffTask({ root, clickhouse, warehouse, broker: platform.broker, dataFolder: config.dataFolder, realtimeDays: config.realtimeDays, pipelines: () => supervisor.files.pipelines.values(), schemas: () => supervisor.schemas }, waitingOf(platform.store)),
    qualityTask({ root, clickhouse, warehouse, pipelines: () => supervisor.files.pipelines.values(), schemas: () => supervisor.schemas }),
    replayTask(supervisor),
    parityTask(platform),
    backupTask(platform),
    testTask(platform)
  ]
}
