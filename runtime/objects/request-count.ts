// Requests to object stores that this thread has sent, repeated ones included: stores bill them.

/** Only grows. A write is what puts, copies, lists or begins an upload; deleting costs nothing. */
export const storeRequests = { reads: 0, writes: 0 }

const free = new Set(['DeleteObjectCommand', 'DeleteObjectsCommand', 'AbortMultipartUploadCommand'])
const reads = new Set(['GetObjectCommand', 'HeadObjectCommand', 'HeadBucketCommand'])

/** `command`: name of the command's class. */
export function countStoreRequest (command: string): void {
  if (free.has(command)) return
  if (reads.has(command)) storeRequests.reads++
  else storeRequests.writes++
}
