import type { RouteOptions } from 'fastify'

/** All routes of the endpoint: tells which methods an address takes, and lets a test walk them. */
export class RouteTable {
  readonly #routes: Array<{ readonly method: string, readonly url: string, readonly pattern: RegExp }> = []

  add ({ method, url }: Pick<RouteOptions, 'method' | 'url'>): void {
    const pattern = new RegExp(`^${url.split('/').map(part => part.startsWith(':') ? '[^/]+' : part.replaceAll('.', '\\.')).join('/')}$`)
    for (const one of [method].flat()) this.#routes.push({ method: one, url, pattern })
  }

  get routes (): ReadonlyArray<{ readonly method: string, readonly url: string }> {
    return this.#routes
  }

  /** Methods that there are for a path; none: there is no such address. */
  methods (path: string): string[] {
    return [...new Set(this.#routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))].sort()
  }
}
