import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import type { ClickHouse } from '../../../runtime/clickhouse/client.ts'
import type { Context } from '../../../runtime/plugin.ts'

export interface Where {
  /** Of the output's options; null: the ClickHouse of the platform. */
  readonly url: string | null
  readonly platform: string | undefined
  readonly statementSeconds: number
}

/** Throws ENGINE_MISSING where neither the output nor the platform names a ClickHouse. */
export function connect ({ url, platform, statementSeconds }: Where, { signal }: Pick<Context, 'signal'>): Promise<ClickHouse> {
  const address = url ?? platform
  if (address === undefined) {
    throw new PlatformError('ENGINE_MISSING', 'there is no ClickHouse: the platform runs none and the output names none', {
      remedy: 'Set `url` of the output, or let the configuration of the platform name a ClickHouse.'
    })
  }
  return connectClickHouse(address, { statementSeconds, signal })
}

/** What `open` makes of a connection, which is closed where that fails. */
export async function connected<T> (where: Where, context: Pick<Context, 'signal'>, open: (client: ClickHouse) => Promise<T>): Promise<T> {
  const client = await connect(where, context)
  try {
    return await open(client)
  } catch (error) {
    await client.close()
    throw error
  }
}
