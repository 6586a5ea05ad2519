// The thread of one redelivery.

import { serveSide } from '../side-worker.ts'
import { redeliver } from './redelivery.ts'
import type { RedeliveryRequest } from './redelivery.ts'

await serveSide((request: RedeliveryRequest, { arounds, broker, signal }) => redeliver(request, arounds, broker, signal))
