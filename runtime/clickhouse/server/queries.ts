import type { IncomingMessage, ServerResponse } from 'node:http'
import { Answer } from './answer.ts'
import type { Body } from './body.ts'
import { ClientGone, openBody } from './body.ts'
import type { Connection, Engine, Finished } from './engine.ts'
import { fault, fromEngine, QueryError } from './errors.ts'
import { Gate } from './gate.ts'
import { insertSql, spoolBody } from './insert.ts'
import { readPipe } from './pipe.ts'
import { parseRequest } from './request.ts'
import { dress, dressSession, hasQueryId } from './scope.ts'
import { Sessions } from './sessions.ts'
import { readSource } from './source.ts'
import type { Source } from './source.ts'
import type { Spool } from './spool.ts'
import { quote } from './sql.ts'

/** Upper bounds; whoever comes beyond one is told so. */
export interface Limits {
  readonly readsMax: number
  readonly writesMax: number
  readonly waitingMax: number
  readonly waitMs: number
  /** Queries whose client has gone and that the engine has not let go of yet: up to this many leave their place to others. */
  readonly abandonedMax: number
  readonly bodyBytesMax: number
}

const streamedVerbs = new Set(['SELECT', 'WITH', '(', 'FROM'])
const readVerbs = new Set([...streamedVerbs, 'SHOW', 'DESCRIBE', 'DESC', 'EXISTS', 'EXPLAIN'])
/** Words that the engine's own command line would take for itself. */
const commandLineWord = /^\s*\S+\s*$/

/** Runs queries: each on a connection of its own or its session's, reads and writes behind gates of their own. */
export class Queries {
  readonly #engine: Engine
  readonly #spool: Spool
  readonly #limits: Limits
  readonly #sessions: Sessions
  readonly #reads: Gate
  readonly #writes: Gate
  readonly #running = new Set<string>()
  #abandoned = 0

  constructor (engine: Engine, spool: Spool, limits: Limits) {
    this.#engine = engine
    this.#spool = spool
    this.#limits = limits
    this.#sessions = new Sessions(engine)
    this.#reads = new Gate({ runningMax: limits.readsMax, waitingMax: limits.waitingMax, waitMs: limits.waitMs })
    this.#writes = new Gate({ runningMax: limits.writesMax, waitingMax: limits.waitingMax, waitMs: limits.waitMs })
  }

  /** How many queries the engine works on, abandoned ones included. */
  get running (): number {
    return this.#running.size
  }

  async handle (message: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const about = { version: this.#engine.version, timezone: this.#engine.timezone }
    let answer = new Answer(message, response, about)
    try {
      const asked = parseRequest(message, url)
      answer = new Answer(message, response, { ...about, queryId: asked.queryId, compress: asked.compressAnswer })
      const body = await openBody(message, this.#limits.bodyBytesMax, async (packed, encoding) => await this.#unpack(packed, encoding))
      const source = await readSource(asked, message, body)
      await this.#run(source, body, answer)
    } catch (error) {
      if (error instanceof ClientGone || answer.abandoned) response.destroy()
      else answer.fail(fromEngine(error))
      // What is left of the body is read and dropped, so that the client sees the answer.
      message.resume()
    }
  }

  close (): void {
    this.#sessions.close()
  }

  async #run (source: Source, body: Body, answer: Answer): Promise<void> {
    const { request, statement } = source
    if (this.#running.has(request.queryId)) {
      throw fault('QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING', `Query with id = ${request.queryId} is already running`)
    }
    this.#running.add(request.queryId)
    try {
      if (statement.data !== undefined) await this.#insert(source, body, answer)
      else if (statement.verb === 'KILL') await this.#plain(source, await this.#killSql(source), answer)
      else if (streamedVerbs.has(statement.verb) && !request.waitForEnd) await this.#stream(source, answer)
      else await this.#plain(source, sqlOf(source), answer)
    } finally {
      this.#running.delete(request.queryId)
    }
  }

  async #insert (source: Source, body: Body, answer: Answer): Promise<void> {
    const file = await spoolBody(source.inlineData, body, this.#spool)
    try {
      const sql = insertSql(source, file.path)
      const finished = await this.#connected(source, this.#writes, answer, connection => connection.run(sql, 'Null'))
      answer.end('TabSeparated', finished, undefined, finished.rowsRead)
    } finally {
      await file.remove()
    }
  }

  /** The engine unpacks what Node cannot. */
  async #unpack (packed: Body, encoding: string): Promise<Buffer> {
    const file = await spoolBody(Buffer.alloc(0), packed, this.#spool)
    const connection = this.#engine.connect()
    try {
      const query = `SELECT raw FROM file(${quote(file.path)}, 'RawBLOB', 'raw String', ${quote(encoding)}) SETTINGS max_result_bytes = ${this.#limits.bodyBytesMax}`
      return Buffer.from((await connection.run(query, 'RawBLOB')).bytes)
    } finally {
      connection.close()
      await file.remove()
    }
  }

  async #plain (source: Source, sql: string, answer: Answer): Promise<void> {
    const gate = readVerbs.has(source.statement.verb) ? this.#reads : this.#writes
    const format = source.statement.format?.name ?? source.request.format
    const finished = await this.#connected(source, gate, answer, connection => connection.run(sql, format))
    answer.end(format, finished, finished.bytes)
  }

  /**
   * The engine writes the answer into a pipe, so a result of any size and format goes out as it is made, held back by
   * a slow client, in a few kilobytes of memory, and this thread never waits for the engine.
   */
  async #stream (source: Source, answer: Answer): Promise<void> {
    const pipe = this.#spool.takePipe()
    if (pipe === undefined) {
      await this.#plain(source, sqlOf(source), answer)
      return
    }
    const format = source.statement.format?.name ?? source.request.format
    let finished: Finished | undefined
    let failed: unknown
    const done = this.#connected(source, this.#reads, answer, connection => runInto(connection, source, pipe, format))
      .then(result => { finished = result }, (error: unknown) => { failed = error })
    try {
      for await (const piece of readPipe(pipe, done)) {
        // Also of no use any more it is read, or the engine would never come to its end.
        if (!answer.abandoned) await answer.write(piece, format)
      }
    } finally {
      await done
      // Only now has the engine let go of it: an earlier return would mix two answers.
      this.#spool.returnPipe(pipe)
    }
    if (failed !== undefined) throw failed
    if (finished !== undefined) answer.end(format, finished, finished.bytes)
  }

  /** Work on a connection that has the request's settings, behind the gate. */
  async #connected (source: Source, gate: Gate, answer: Answer, work: (connection: Connection) => Promise<Finished>): Promise<Finished> {
    const { request } = source
    const leave = await gate.enter()
    let over = false
    if (gate === this.#reads) answer.onAbandoned(() => { if (!over) void this.#abandon(request.queryId, leave) })
    try {
      if (answer.abandoned) throw new ClientGone()
      return await this.#onConnection(source, work)
    } finally {
      over = true
      leave()
    }
  }

  async #onConnection (source: Source, work: (connection: Connection) => Promise<Finished>): Promise<Finished> {
    const { session } = source.request
    if (session === undefined) {
      const connection = this.#engine.connect()
      try {
        await dress(connection, source)
        return await work(connection)
      } finally {
        connection.close()
      }
    }
    const { connection, leftovers } = this.#sessions.take(session.id, session.mustExist)
    try {
      const undo = await dressSession(connection, source, leftovers)
      try {
        return await work(connection)
      } finally {
        await undo()
      }
    } finally {
      this.#sessions.release(session.id, session.timeoutSeconds)
    }
  }

  /** The client has gone: the engine is told to stop, and the place is free for others meanwhile. */
  async #abandon (queryId: string, leave: () => void): Promise<void> {
    if (this.#abandoned < this.#limits.abandonedMax) {
      this.#abandoned++
      leave()
      while (this.#running.has(queryId)) await this.#stop(queryId)
      this.#abandoned--
    } else {
      await this.#stop(queryId)
    }
  }

  async #stop (queryId: string): Promise<void> {
    try {
      await this.#engine.ask(`KILL QUERY WHERE ${hasQueryId(queryId)} ASYNC`)
    } catch {
      // The query has its max_execution_time; nothing is owed to a client that has gone.
    }
    await new Promise(resolve => setTimeout(resolve, 200))
  }

  /** The engine has query ids of its own, and a KILL … SYNC never returns in it: ours are put in their place. */
  async #killSql ({ statement, text }: Source): Promise<string> {
    let sql = text.toString('latin1', 0, statement.end)
    for (const token of statement.tokens.toReversed()) {
      if (token.kind === 'word' && token.text === 'SYNC') sql = `${sql.slice(0, token.start)}ASYNC${sql.slice(token.end)}`
      const id = token.kind === 'string' ? token.text.slice(1, -1) : ''
      if (id === '' || !this.#running.has(id)) continue
      const engineId = await this.#engine.ask(`SELECT query_id FROM system.processes WHERE ${hasQueryId(id)} LIMIT 1`)
      sql = `${sql.slice(0, token.start)}${quote(engineId)}${sql.slice(token.end)}`
    }
    return Buffer.from(sql, 'latin1').toString()
  }
}

/** Runs a query with its answer going into the pipe; a text that does not bear the clause for that, as it is. */
async function runInto (connection: Connection, source: Source, pipe: string, format: string): Promise<Finished> {
  const { statement, text } = source
  const at = statement.format?.start ?? statement.end
  const into = ` INTO OUTFILE ${quote(pipe)} APPEND `
  const sql = statement.format === undefined
    ? `${text.toString('utf8', 0, at)}${into}FORMAT ${format}`
    : `${text.toString('utf8', 0, at)}${into}${text.toString('utf8', at, statement.end)}`
  try {
    return await connection.run(sql, format)
  } catch (error) {
    if (!(error instanceof QueryError) || error.code !== 62) throw error
    return await connection.run(sqlOf(source), format)
  }
}

/** The statement's text. A single word gets a comment, or the engine would look for a command in it. */
function sqlOf ({ statement, text }: Source): string {
  const sql = text.toString('utf8', 0, statement.end)
  return commandLineWord.test(sql) ? `${sql} --` : sql
}
