import type { Body } from './body.ts'
import { fault } from './errors.ts'
import type { QueryError } from './errors.ts'
import type { Source } from './source.ts'
import { quote } from './sql.ts'
import type { Spool, SpoolFile } from './spool.ts'

/**
 * An INSERT's data go to the engine through a file: text joined to the query ends at its first line end, whatever the
 * format. FROM INFILE treats the file as a server treats a body: columns by name, defaults for those left out.
 * The file is written whole before the engine starts, so a client that dies half-way inserts nothing.
 */
export async function spoolBody (inlineData: Buffer, body: Body, spool: Spool): Promise<SpoolFile> {
  const file = await spool.file()
  try {
    if (inlineData.length > 0) await file.write(inlineData)
    let separated = inlineData.length === 0
    for (let piece = await body.next(); piece !== undefined; piece = await body.next()) {
      // A line end stands between the query of the URL and the body.
      if (!separated) await file.write(Buffer.from('\n'))
      separated = true
      const writing = file.write(piece)
      if (writing !== undefined) await writing
    }
    await file.finish()
    return file
  } catch (error) {
    await file.remove()
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? noSpace() : error
  }
}

function noSpace (): QueryError {
  return fault('NOT_ENOUGH_SPACE', 'There is no space left for the body of the INSERT: send fewer rows a request, or make room')
}

/** The statement with the file in the place of its data. */
export function insertSql ({ statement, text }: Source, file: string): string {
  const { format, data } = statement
  if (format === undefined || data === undefined) throw new Error('not an INSERT with data')
  const slice = (start: number, end: number) => text.toString('utf8', start, end)
  const { input } = data
  if (input !== undefined) {
    // The engine reads input() from the query's own text only; file() has the same columns.
    const call = `file(${quote(file)}, ${quote(format.name)}, ${slice(input.args, input.end)}`
    return `${slice(0, input.start)}${call}${slice(input.end, format.start)}`
  }
  return `${slice(0, data.clauseAt)} FROM INFILE ${quote(file)} ${slice(data.clauseAt, format.start)} FORMAT ${format.name}`
}
