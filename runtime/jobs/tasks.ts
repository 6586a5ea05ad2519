import type { Platform } from '../platform.ts'
import type { Task } from './task.ts'

/** All jobs that the platform brings along. Each has its id in task-ids.ts. Called once, before the platform's pipelines start. */
export function tasksOf (_platform: Omit<Platform, 'fleet' | 'peers' | 'jobs'>): Task[] {
  return []
}
