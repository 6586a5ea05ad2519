// What the lake holds of a topic. Readers go by this list and never by the names in the store.

/** One committed Parquet file. */
export interface LakeFile {
  /** Under the lake's root. */
  readonly name: string
  readonly rows: number
  readonly bytes: number
  /** Of the file, hex. */
  readonly sha256: string
  readonly partition: number
  /** Offsets [from, to) of the topic that it covers; where transforms or retention have left rows out there are fewer rows. */
  readonly from: number
  readonly to: number
  /** Least and greatest ingest time, ms since 1970. */
  readonly ingest: { readonly from: number, readonly to: number }
  /** Least and greatest event time, ms since 1970, of the rows that have one; undefined: none has. */
  readonly event: { readonly from: number, readonly to: number } | undefined
  /** Rows by the UTC day of the event time, such as `2024-01-02`; `''`: rows whose event time cannot be read. */
  readonly days: Readonly<Record<string, number>>
  /** `Topic.hash` that its columns were made by. */
  readonly schema: string
  /** The rule that read the event times, as `ruleOf` gives it; under another one `event` and `days` say nothing. */
  readonly rule?: string
  /**
   * Nobody has looked at its rows yet: it was there before the lake had a manifest. `event` and `days` say nothing, and
   * `sha256` is empty. The compaction fills them in.
   */
  readonly unread?: true
}

/** The files of a topic at one moment. */
export interface Snapshot {
  readonly topic: string
  /** Of the last commit; 0: there was none. */
  readonly seq: number
  /** By partition, then by offset; they do not overlap. */
  readonly files: readonly LakeFile[]
}
