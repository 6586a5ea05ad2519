// Where files lie: a folder, or a bucket. What is taken from them, and how often, is the business of take.ts.

/** A file as a listing shows it. */
export interface FileEntry {
  /** What people know it by, and what it is ordered by. */
  readonly name: string
  readonly bytes: number
  /** Another text once the content has changed: size and time of the last write, or the store's ETag. */
  readonly version: string
  /** When it was last written to, ms since 1970. */
  readonly written: number
}

export interface OpenFile {
  /** As it was when it was opened; no byte behind `entry.bytes` is read. */
  readonly entry: FileEntry
  /** Of one read, where one follows the other. */
  readonly chunkBytes: number
  /** Bytes [from, to), all of them; `to` is at most `entry.bytes`. Throws FILE_REFUSED where the file has become shorter or another one since it was opened. */
  read (from: number, to: number): Promise<Buffer>
  /** Whether it was written to since it was opened. */
  changed (): Promise<boolean>
  close (): Promise<void>
}

export interface Shelf {
  /** What is looked for, for people: a path or glob, `s3://bucket/prefix/*.csv`. */
  readonly address: string
  /** All files that match, in any order. Throws where nothing can be listed. */
  list (): AsyncGenerator<FileEntry, void, void>
  /** undefined: it is gone. */
  open (entry: FileEntry): Promise<OpenFile | undefined>
  close (): void
}
