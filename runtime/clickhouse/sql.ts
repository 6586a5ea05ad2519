// Text that goes into SQL: names and literals, quoted.

/** A name of a database, table or column, whatever its letters. */
export function quoteName (name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
}

/** A text literal. */
export function quoteText (text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll('\'', '\\\'').replaceAll('\n', '\\n').replaceAll('\0', '\\0')}'`
}

/** A table with its database. */
export interface TableName {
  readonly database: string
  readonly table: string
}

export function quoteTable ({ database, table }: TableName): string {
  return `${quoteName(database)}.${quoteName(table)}`
}
