// Programs that a test starts beside it: free ports, and an end of theirs whatever happens to the test.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { ChildProcess } from 'node:child_process'

/** A shell that waits for the end of this process, which closes its input, and then kills the child; a second after `first`, where that is given. */
export function endTogether (child: ChildProcess, first?: 'QUIT'): void {
  const politely = first === undefined ? '' : `kill -${first} "$1"; sleep 1; `
  const guard = spawn('sh', ['-c', `read line; ${politely}kill -9 "$1"`, 'sh', String(child.pid)], { stdio: ['pipe', 'ignore', 'ignore'] })
  guard.unref()
  child.once('exit', () => guard.kill('SIGKILL'))
}

/** Below the range that systems take for outgoing connections, so that it is still free after a restart. */
export async function freePort (others: readonly number[] = []): Promise<number> {
  while (true) {
    const port = 15_000 + Math.floor(Math.random() * 17_000)
    const server = createServer().listen(port, '127.0.0.1')
    const free = await once(server, 'listening').then(() => true, () => false)
    if (!free) continue
    server.close()
    await once(server, 'close')
    if (!others.includes(port)) return port
  }
}
