import type { Parameters } from '../clickhouse/ask.ts'

type Value = Parameters[string]

/** Collects the values of a statement: its text names them and never holds them. */
export class Binder {
  readonly #params: Record<string, Value> = {}
  #count = 0

  get params (): Parameters {
    return this.#params
  }

  /** Returns the place of the value in SQL, such as `{p3:Int64}`. */
  bind (type: string, value: Value): string {
    const name = `p${this.#count++}`
    this.#params[name] = value
    return `{${name}:${type}}`
  }
}
