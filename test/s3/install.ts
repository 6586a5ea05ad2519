// Builds the S3 server of the tests, unless it is there: two minutes that no test's time limit has to bear.

import { installS3, s3Missing } from './server.ts'

if (s3Missing !== false) {
  console.error(s3Missing)
  process.exitCode = 1
} else {
  await installS3()
}
