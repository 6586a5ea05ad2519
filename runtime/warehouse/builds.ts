// Who may write to the warehouse: the version that was begun last. Its number names its rows, is used once, and is what
// every statement of the handoff asks for while it runs.
//
// A control side can be paused between two statements and wake up when another one has gone on. Its rows then have a
// number that no flip will name, and its flip is refused. The engine lists a statement as running before it looks at what
// the statement reads: so once a new number is there and nothing runs any more, nothing of an earlier one can land.

import { randomUUID } from 'node:crypto'
import { FENCED } from '../clickhouse/answers.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import { awaitQuiet } from '../clickhouse/quiet.ts'
import { quoteTable, quoteText } from '../clickhouse/sql.ts'
import { PlatformError } from '../errors.ts'
import { boundaryTable, buildsTable } from './boundary.ts'
import type { DayName } from './boundary.ts'
import type { Lanes } from './lanes.ts'

/** Begins the name of every statement of the handoff. */
const STATEMENTS = 'twolane:handoff:'
/** How long a statement of an earlier version may go on after it was told to end. */
const QUIET_SECONDS = 120
const ATTEMPTS_MAX = 5

export interface Build {
  /** Higher than all before. */
  readonly number: number
  /** SQL condition: true, or the statement fails because a newer version was begun. */
  readonly fence: string
  /** A name for a statement of this version. */
  statementName (): string
}

/** Begins a version: from then on nothing of an earlier one can land. Throws BROKER_FENCED where another process does the same all the time. */
export async function beginBuild ({ servers }: Lanes, { dataset, topic, day }: DayName, signal: AbortSignal): Promise<Build> {
  const owner = randomUUID()
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const number = Math.max(...await Promise.all(servers.map(newestBuild))) + 1
    for (const server of servers) {
      await server.command(`INSERT INTO ${quoteTable(buildsTable)} SELECT ${number}, ${quoteText(owner)}, ${quoteText(dataset)}, ${quoteText(topic)}, toDate32(${quoteText(day)}), now64(3)`, { signal })
    }
    // Whoever has written the same number has done so before it looks: at least one of the two sees the other and gives it up.
    const alone = await Promise.all(servers.map(server => isAlone(server, number, owner)))
    if (!alone.every(Boolean)) continue
    for (const server of servers) await awaitQuiet(server, STATEMENTS, { seconds: QUIET_SECONDS, signal })
    return {
      number,
      fence: `throwIf((SELECT max(build) FROM ${quoteTable(buildsTable)}) != ${number}, ${quoteText(FENCED)}) = 0`,
      statementName: () => `${STATEMENTS}${number}:${randomUUID()}`
    }
  }
  throw new PlatformError('BROKER_FENCED', 'another process hands days over, too', { remedy: 'Let one runtime be the control side of this warehouse.' })
}

async function newestBuild (server: ClickHouse): Promise<number> {
  const [row] = await server.rows<{ n: string }>(`SELECT greatest((SELECT max(build) FROM ${quoteTable(buildsTable)}), (SELECT max(seq) FROM ${quoteTable(boundaryTable)})) AS n`)
  return Number(row?.n ?? 0)
}

async function isAlone (server: ClickHouse, number: number, owner: string): Promise<boolean> {
  const rows = await server.rows<{ owner: string }>(`SELECT owner FROM ${quoteTable(buildsTable)} WHERE build >= ${number}`)
  return rows.every(row => row.owner === owner)
}
