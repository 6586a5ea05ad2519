import type { RouteOptions } from 'fastify'
import type { Access } from '../access/scopes.ts'

/** All routes of the endpoint: tells which methods an address takes, and lets a test walk them. */
export class RouteTable {
  readonly #routes: Array<{ readonly method: string, readonly url: string, readonly access: Access, readonly pattern: RegExp }> = []

  /** Throws where a route does not say who may use it. */
  add ({ method, url, config }: Pick<RouteOptions, 'method' | 'url' | 'config'>): void {
    const access = config?.access
    if (access === undefined) throw new Error(`The route ${url} does not say who may use it (config.access)`)
    const pattern = new RegExp(`^${url.split('/').map(part => part.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+')).join('/')}$`)
    for (const one of [method].flat()) this.#routes.push({ method: one, url, access, pattern })
  }

  get routes (): ReadonlyArray<{ readonly method: string, readonly url: string, readonly access: Access }> {
    return this.#routes
  }

  /** Methods that there are for a path; none: there is no such address. */
  methods (path: string): string[] {
    return [...new Set(this.#routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))].sort()
  }
}
