// Ids of the jobs that the platform brings along (tasks.ts). No pipeline may have one of them.

export const taskIds = ['handoff', 'compaction', 'quality', 'replay', 'parity', 'backup', 'tests'] as const

export type TaskId = typeof taskIds[number]
