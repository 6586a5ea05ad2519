// Where finished files live: a folder or an S3-compatible store. What both promise is what S3 promises.
//
//   A name is text with "/" between its parts, such as `quotes/date=2024-01-02/quotes-0-….parquet`; it has no "..",
//   and its parts are not empty. What stands under a name is whole or not there at all, whoever reads and whatever is
//   killed meanwhile. What is written is durable when its promise resolves. A failure is a PlatformError.

/** What stands under a name. */
export interface ObjectEntry {
  readonly name: string
  readonly bytes: number
  /** When it was written, ms since 1970, by the clock of the store. */
  readonly modifiedAt: number
}

/** Bytes [from, to) of an object. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

export interface Objects {
  /** Where they are, for people: an absolute path or `s3://bucket/prefix`. */
  readonly address: string
  /** Local folder of the files that are being written. */
  readonly scratch: string
  /** A new path in `scratch`; it begins with the owner's name, so that what a killed owner left can be told. */
  scratchFile (): string
  /** Gives a finished file in `scratch` its name; what stood there is replaced. The file is gone from `scratch` when it resolves. */
  put (name: string, file: string): Promise<void>
  /**
   * Resolves to false when the name is taken: of several that try, exactly one gets true. For small contents, each one
   * unlike any other: after an answer that was lost, an equal content counts as one's own.
   */
  putIfAbsent (name: string, content: Uint8Array): Promise<boolean>
  /** Resolves when what was found under the name is durable: whoever wrote it may have been killed before it was. */
  confirm (name: string): Promise<void>
  /** The content or a part of it; a range may reach beyond the end. undefined: there is nothing under the name. */
  read (name: string, range?: ByteRange): Promise<Uint8Array | undefined>
  /** All whose names begin with `prefix`, ascending by name. */
  list (prefix: string): AsyncGenerator<ObjectEntry, void, void>
  /** Nothing happens where there is nothing. */
  delete (name: string): Promise<void>
  /** Removes a file in `scratch` that will not be put, and what was on its way; never throws. What cannot be reached now stays noted in `scratch`. */
  discard (file: string): Promise<void>
  /** Throws when the place cannot be used. */
  check (): Promise<void>
  close (): void
}
