// Which variables of the environment the files send to which hosts. Whoever names one in an option learns what it holds
// where they have a host of their own, or see the rows: so a variable goes to the hosts that it goes to already, and one
// that goes to a host stands in no step without one. Those of the settings (config/*.yaml) belong to the platform.

import { readYaml } from '../yaml.ts'
import { hostsOf } from './hosts.ts'
import { stepsOf } from './step-name.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Json } from '../plugin.ts'

const reference = /\$?\$\{([A-Za-z_][A-Za-z0-9_]*)(?::[^}]*)?\}/g
/** What the platform, its tools and the system keep in the environment. */
const reserved = /^(?:TWOLANE|NODE|npm|AWS|LD|SSH|GIT|DOCKER|KUBERNETES)_|^(?:PATH|HOME|USER|PWD|HOSTNAME|SHELL)$/i

/** Of a step that connects nowhere. */
const NO_HOST = 'a step without a host'

export class Bindings {
  /** Hosts, by the variables that steps which name them use. */
  readonly #hosts = new Map<string, Set<string>>()
  readonly #settings: ReadonlySet<string>

  /** `settings`: the texts of config/*.yaml. */
  constructor (pipelines: Iterable<Pick<Pipeline, 'file' | 'text'>>, settings: readonly string[] = []) {
    this.#settings = new Set(settings.flatMap(text => [...variablesIn(text)]))
    for (const { file, text } of pipelines) {
      for (const { options } of stepsOf(readYaml(file, text).value)) {
        const hosts = placesOf(options)
        for (const name of variablesIn(options)) for (const host of hosts) this.#hosts.set(name, (this.#hosts.get(name) ?? new Set<string>()).add(host))
      }
    }
  }

  /** Why the options may not name a variable: a sentence each. */
  problems (options: Json): string[] {
    const hosts = placesOf(options)
    return [...variablesIn(options)].flatMap(name => {
      if (reserved.test(name) || this.#settings.has(name)) return [`the variable ${name} belongs to the platform or its system and is not for pipelines`]
      const known = this.#hosts.get(name)
      const others = known === undefined ? [] : hosts.filter(host => !known.has(host))
      return others.length === 0 ? [] : [`the variable ${name} is not sent to ${others.map(host => host.replace(/:$/, '')).join(', ')}: the files send it to other hosts; use another variable, or let whoever keeps the files do it`]
    })
  }
}

function placesOf (options: Json): string[] {
  const hosts = hostsOf(options).map(({ host, port }) => `${host}:${port}`)
  return hosts.length === 0 ? [NO_HOST] : hosts
}

export function variablesIn (value: Json): Set<string> {
  const text = JSON.stringify(value)
  // A doubled dollar sign is a text.
  return new Set([...text.matchAll(reference)].filter(([whole]) => !whole.startsWith('$$')).map(([, name]) => name as string))
}
