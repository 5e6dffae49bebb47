/** The execution provider of AMD's NPUs, with a cache of what it compiles. */

import { type Addition, behind } from './addition.js'

export const provider: Addition = {
  heading: 'An execution provider',
  tests: ['test/runtime/vitisai.test.ts', 'test/runtime/engine-cache.test.ts'],
  places: [
    {
      path: 'src/runtime/execution-providers.ts',
      notice: 'you begin here',
      change: [
        behind(
          "  coreml: { needs: 'macOS on Apple silicon', isAccelerator: true },\n",
          "  vitisai: { needs: 'an AMD NPU and a library that was built with Vitis AI', isAccelerator: true },\n",
        ),
      ],
    },
    {
      path: 'src/runtime/native/append-provider.ts',
      notice: 'the compiler',
      change: [
        behind(
          "  coreml: { listed: 'CoreMLExecutionProvider', generic: 'CoreML' },\n",
          "  vitisai: { listed: 'VitisAIExecutionProvider', generic: 'VitisAI' },\n",
        ),
      ],
    },
    {
      path: 'src/runtime/engine-cache.ts',
      notice: '`test/runtime/vitisai.test.ts`',
      change: [{ find: "    case 'openvino':\n", put: "    case 'openvino':\n    case 'vitisai':\n" }],
    },
    {
      path: 'test/runtime/vitisai.test.ts',
      notice: 'nobody',
      change: `import t from 'tap'
import { engineOptions } from '../../src/runtime/engine-cache.js'
import { executionProvider } from '../../src/runtime/execution-providers.js'

t.test('the provider is known, and keeps what it compiles in the folder of the model', (t) => {
  t.equal(executionProvider('vitisai'), 'vitisai')
  t.same(engineOptions('vitisai', '/engines/a'), { cache_dir: '/engines/a' })
  t.end()
})
`,
    },
  ],
}
