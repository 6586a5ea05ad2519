import t from 'tap'
import { checkFaults } from './faults.ts'
import type { Case } from './faults.ts'

const groups: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  'that fail': {
    'input-open-throws': { step: 'input', config: '{ how: throw, at: open }', says: /^input\.bad is backing_off: boom/, survives: true },
    'input-read-throws': { step: 'input', config: '{ how: throw, at: read }', says: /^input\.bad is backing_off: boom/, survives: true },
    'map-throws': { step: 'transform', config: '{ how: throw }', says: /^outputs\.file is backing_off: transforms\.bad: Mapping .* failed: boom/, survives: true },
    'state-throws': { step: 'transform', config: '{ how: state }', says: /^outputs\.file is backing_off: transforms\.bad: Taking its state failed: boom/, survives: true },
    'open-throws': { step: 'output', config: '{ how: throw, at: open }', says: /^outputs\.bad is backing_off: boom/, survives: true },
    'write-throws': { step: 'output', config: '{ how: throw, at: write }', says: /^outputs\.bad is backing_off: boom/, survives: true },
    'flush-throws': { step: 'output', config: '{ how: throw, at: flush }', says: /^outputs\.bad is backing_off: boom/, survives: true },
    'close-throws': { step: 'output', config: '{ how: throw, at: close }', says: /^outputs\.bad is backing_off: .*boom/, survives: true }
  },
  'that wait for ever': {
    'own-waits': { step: 'output', config: '{ how: wait, at: own }', says: /^outputs\.bad is stalled: The destination has not answered for 1 s/, survives: true },
    'flush-waits': { step: 'output', config: '{ how: wait, at: flush }', says: /^outputs\.bad is stalled: The destination has not answered for 1 s/, survives: true },
    'write-waits': { step: 'output', config: '{ how: wait, at: write }', says: /^outputs\.bad is stalled: The destination has not answered for 1 s/, survives: true },
    'open-waits': { step: 'output', config: '{ how: wait, at: open }', says: /^outputs\.bad: It did not open within 2 s/ },
    'close-waits': { step: 'output', config: '{ how: wait, at: close }', says: /^outputs\.bad: It did not close within 1 s/ },
    'transform-open-waits': { step: 'transform', config: '{ how: wait }', says: /^transforms\.bad: It did not open within 2 s/ }
  },
  'that end their thread': {
    exits: { step: 'output', config: '{ how: exit, at: write }', says: /^outputs\.bad: process\.exit\(7\) was called/ },
    kills: { step: 'input', config: '{ how: kill, at: read }', says: /^input\.bad: process\.kill\(\d+\) was called/ },
    'throws-in-a-timer': { step: 'input', config: '{ how: timer, at: read }', says: /^input\.bad: boom in a timer/ },
    'rejects-later': { step: 'output', config: '{ how: rejection, at: write }', says: /^outputs\.bad: boom in a promise/ },
    'changes-globals': { step: 'output', config: '{ how: globals, at: write }', says: /outputs\.bad/ }
  }
}

for (const [name, cases] of Object.entries(groups)) {
  await t.test(`plugins ${name} are named and tried again, and a neighbour loses nothing`, t => checkFaults(t, cases))
}
