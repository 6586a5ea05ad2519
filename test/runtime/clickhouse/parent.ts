// A parent to be killed: starts an engine on the folder it is given and tells its process id.
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'

const engine = await startEmbedded({ folder: process.argv[2] ?? '', log: { info () {}, warn () {}, error () {} } })
process.send?.(engine.pid)
