// What is swept: one operation of the platform on files of its own, in a process of its own.

/** What the process tells the sweep. */
export interface Say {
  /** Everything up to this number is promised. */
  ack (to: number): void
  /** It failed, and is tried again as the runtime does. Throws what no second attempt can mend. */
  failed (error: unknown): void
}

export interface Work {
  /** Goes on from what is there until all is acknowledged. */
  run (say: Say): Promise<void>
  close (): Promise<void>
}

/** What is wrong, by number. */
export interface Found {
  /** Acknowledged and not there. */
  readonly lost: number
  /** There twice. */
  readonly doubled: number
  /** There in part, where only all of it or nothing may be. */
  readonly half: number
}

export interface Operation {
  /** Makes what is there before the operation, in an empty folder. */
  prepare (folder: string): Promise<void>
  /** In the process that is swept. */
  open (folder: string): Promise<Work>
  /** `acknowledged`: what a process has promised last. Throws where what is there cannot be read. */
  check (folder: string, acknowledged: number): Promise<Found>
}

/** A process loads the one that it does. */
export const operations: Readonly<Record<string, () => Promise<Operation>>> = {
  'topic append': async () => (await import('./operations/topic.ts')).append,
  'topic made anew': async () => (await import('./operations/topic-anew.ts')).anew,
  'intent and commit': async () => (await import('./operations/group.ts')).group,
  'lake commit': async () => (await import('./operations/lake.ts')).commit,
  'control.db': async () => (await import('./operations/control.ts')).control
}

/** One of them, or `1000 appends`. */
export async function operationNamed (name: string): Promise<Operation> {
  const appends = /^(\d+) appends$/.exec(name)?.[1]
  if (appends !== undefined) return (await import('./operations/topic.ts')).appends(Number(appends))
  const load = operations[name]
  if (load === undefined) throw new Error(`There is no operation ${name}: it is one of ${Object.keys(operations).join(', ')}`)
  return load()
}
