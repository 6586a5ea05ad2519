// Server-sent events as a client sees them.

export interface ServerEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: unknown
}

/** Events of a body, until it ends or breaks off. */
export async function * events (body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent, void, void> {
  const decoder = new TextDecoder()
  let waiting = ''
  for await (const piece of body) {
    waiting += decoder.decode(piece, { stream: true })
    const blocks = waiting.split('\n\n')
    waiting = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
      const data = fields.get('data')
      if (data !== undefined) yield { event: fields.get('event') ?? 'message', id: fields.get('id'), data: JSON.parse(data) as unknown }
    }
  }
}
