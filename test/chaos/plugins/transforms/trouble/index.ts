// Passes rows through, until it is told to do what a transform must not do.

import { defineTransform } from '../../../../../runtime/plugin.ts'
import { obey } from '../../trouble.ts'

export default defineTransform({
  description: 'Passes the rows of a test run through',
  options: { note: { type: 'string', description: 'Changes with each reload.', default: '' } },
  shorthand: 'note',
  open: (_, { root }) => ({
    map (batch) {
      obey(root, 'transform')
      return batch
    }
  })
})
