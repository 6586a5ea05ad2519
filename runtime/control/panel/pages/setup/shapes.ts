// What the routes of setup answer, and what is sent to them.

import type { FieldSchema } from '../../parts/form.ts'

export interface Plugin {
  readonly kind: 'input' | 'transform' | 'output'
  readonly name: string
  readonly title: string
  readonly description: string
  readonly guarantee?: string
  /** An input that ends, as a job needs it. */
  readonly bounded: boolean
  /** The option that a text alone stands for. */
  readonly shorthand?: string
  readonly schema: FieldSchema
  /** Whether whoever asks may use it in pipelines. */
  readonly allowed: boolean
  readonly problem?: string
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
export type Options = Readonly<Record<string, unknown>>

/** A source or a destination as it runs. */
export interface StepEntry {
  readonly pipeline: string
  /** `outputs.lake` */
  readonly step: string
  readonly name: string
  readonly plugin: string
  readonly options: Options
  readonly state: string
  readonly ok: boolean
  readonly reason?: string
  readonly topic: string
  readonly dataset?: string
  readonly rows_per_second: number
  readonly lag_rows?: number
  readonly lag_seconds?: number
}

export interface Checked {
  readonly ok: boolean
  readonly steps: ReadonlyArray<{ readonly name: string, readonly ok: boolean, readonly ms: number, readonly detail: string }>
  readonly sample: ReadonlyArray<Readonly<Record<string, unknown>>>
}

export interface Proposal {
  readonly path: string
  readonly text: string
  readonly fields: ReadonlyArray<{ readonly name: string, readonly source: string, readonly type: string, readonly required: boolean, readonly unit: string, readonly examples: readonly string[] }>
  readonly notes: readonly string[]
}

/** The body of a change: what is given counts; null takes the thing away. */
export interface Change {
  readonly files?: ReadonlyArray<{ readonly path: string, readonly text: string | null, readonly hash?: string }>
  readonly pipeline?: { readonly id: string, readonly definition: Options | null }
  readonly input?: { readonly pipeline: string, readonly definition: Options | null }
  readonly output?: { readonly pipeline: string, readonly name: string, readonly definition: Options | null }
}

export interface FileProblem {
  readonly file: string
  /** From 1 on; 0: the file as a whole. */
  readonly line: number
  readonly column: number
  readonly path: string
  readonly message: string
}

export interface Plan {
  readonly plan: string
  readonly diffs: ReadonlyArray<{ readonly path: string, readonly change: 'added' | 'changed' | 'removed', readonly unified: string, readonly added: number, readonly removed: number, readonly secrets: boolean }>
  readonly problems: readonly FileProblem[]
  readonly elsewhere: readonly FileProblem[]
  readonly tests: { readonly passed: number, readonly failed: number }
  readonly effects: {
    readonly start: readonly string[]
    readonly stop: readonly string[]
    readonly restart: readonly string[]
    readonly tables: ReadonlyArray<{ readonly table: string, readonly change: 'made' | 'altered' | 'refused', readonly statements?: readonly string[], readonly reason?: string }>
    readonly schemas: ReadonlyArray<{ readonly topic: string, readonly change: string, readonly fields?: { readonly added: readonly string[], readonly removed: readonly string[], readonly changed: readonly string[] } }>
    readonly notes: readonly string[]
  }
}

export interface ProjectFile {
  readonly path: string
  readonly kind: 'pipeline' | 'test' | 'schema' | 'model' | 'config'
  readonly bytes: number
  readonly hash: string
}
