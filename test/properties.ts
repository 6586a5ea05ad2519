// fast-check with the same values at each run, so that a test that passed passes again. TWOLANE_FUZZ_SEED looks at
// others, and TWOLANE_FUZZ_RUNS at more of them where a test asks an engine.

import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env['TWOLANE_FUZZ_SEED'] ?? 20_260_102) })

export default fc
