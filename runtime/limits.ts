// Every bound on the life of a pipeline, in one place (invariant 7). Tests make them shorter.

export interface Limits {
  /** How long a thread may keep its event loop busy. */
  readonly silenceMsMax: number
  /** How long a pipeline may take to stop. */
  readonly stopMsMax: number
  /** How long a new thread may take to load its plugins and to open its transforms. */
  readonly prepareMsMax: number
  /** How long a new pipeline may take to begin before a reload is rolled back. */
  readonly beginMsMax: number
  /** How long the start of the platform waits for its pipelines to begin. */
  readonly startMsMax: number
  /** How long a plugin may take to open. */
  readonly openMsMax: number
  /** How long a plugin may take to close; shorter than a stop. */
  readonly closeMsMax: number
  /** A destination that has not answered for so long is shown as not healthy. */
  readonly stalledMsMax: number
  /** Bytes outside the JavaScript heap (buffers) that a thread may hold. */
  readonly buffersBytesMax: number
  /** By how much the process may grow while a thread keeps its event loop busy. */
  readonly growthBytesMax: number
  /** Below so much free disk the input waits (disk-reserve.ts); 0: it never does. The platform's comes from its configuration. */
  readonly diskReserveBytes: number
}

export const limits: Limits = {
  silenceMsMax: 10_000,
  stopMsMax: 10_000,
  prepareMsMax: 30_000,
  beginMsMax: 15_000,
  startMsMax: 10_000,
  openMsMax: 60_000,
  closeMsMax: 5000,
  stalledMsMax: 30_000,
  buffersBytesMax: 2 ** 30,
  growthBytesMax: 2 ** 30,
  diskReserveBytes: 0
}
