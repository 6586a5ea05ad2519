import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ADMIN_TOKEN_FILE, Store } from '../../../runtime/store.ts'
import type { Receipt } from '../../../runtime/receipt.ts'
import type { Operation, Say } from '../operation.ts'

const RECEIPTS = 3
const receipt = { time: 1, outcome: 'applied', pipelines: [] } as unknown as Omit<Receipt, 'revision'>

/** The admin token is 1, each receipt of a reload one more. */
function keep (store: Store, say: Say): void {
  let token = false
  for (;;) {
    try {
      store.makeAdminToken()
      if (!token) say.ack(1)
      token = true
      for (let kept = store.receipts(RECEIPTS).length; kept < RECEIPTS; kept++) {
        store.addReceipt(receipt)
        say.ack(kept + 2)
      }
      return
    } catch (error) {
      say.failed(error)
    }
  }
}

/** The first start of a platform makes its token, and three reloads are kept. */
export const control: Operation = {
  async prepare (folder) {
    new Store(folder).close()
  },
  async open (folder) {
    const store = new Store(folder)
    return { run: async say => keep(store, say), close: async () => store.close() }
  },
  async check (folder, acknowledged) {
    const store = new Store(folder)
    try {
      const receipts = store.receipts(100)
      const lost = Math.max(0, acknowledged - 1 - receipts.length)
      const token = acknowledged === 0 ? '' : readFileSync(join(folder, ADMIN_TOKEN_FILE), 'utf8').trim()
      return { lost: lost + (acknowledged > 0 && !store.isAdminToken(token) ? 1 : 0), doubled: Math.max(0, receipts.length - RECEIPTS), half: 0 }
    } finally {
      store.close()
    }
  }
}
