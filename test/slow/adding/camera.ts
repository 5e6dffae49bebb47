/** The source `bars://`: four bars of color that need no camera. */

import { type Addition, behind } from './addition.js'

export const camera: Addition = {
  heading: 'A camera source',
  tests: ['test/camera/source-uri.test.ts', 'test/camera/bars-source.test.ts'],
  places: [
    {
      path: 'src/camera/source-uri.ts',
      notice: 'you begin here',
      change: [
        {
          find: "'libcamera' | 'webcam' | 'synthetic'\n",
          put: "'libcamera' | 'webcam' | 'synthetic' | 'bars'\n",
        },
      ],
    },
    {
      path: 'src/camera/source-uri.ts',
      notice: 'the compiler',
      change: [behind("  synthetic: ['fps', 'size', 'seed', 'stall_s'],\n", "  bars: ['fps', 'stall_s'],\n")],
    },
    {
      path: 'src/camera/source-uri.ts',
      notice: '`test/camera/source-uri.test.ts`',
      change: [
        {
          find: "    case 'synthetic':\n      return [scheme, rest]\n",
          put: "    case 'synthetic':\n    case 'bars':\n      return [scheme, rest]\n",
        },
      ],
    },
    {
      path: 'src/camera/source-uri.ts',
      notice: 'nobody',
      change: [
        {
          find: "webcam:///dev/video0, synthetic://'\n",
          put: "webcam:///dev/video0, synthetic://, bars://'\n",
        },
      ],
    },
    {
      path: 'src/camera/bars-source.ts',
      notice: 'you begin here',
      change: `/** Four bars of color that need no camera. Invariant: every frame is the same. */

import { letterbox } from '../yolo/letterbox.js'
import type { FrameSource } from './frame-source.js'
import { Pace } from './pace.js'
import type { SourceContext } from './source-context.js'

const picture = { width: 640, height: 480 } as const
const colors = [
  [255, 255, 255],
  [255, 255, 0],
  [0, 255, 255],
  [0, 255, 0],
] as const

export function barsSource({ address, clock, fpsMax = 15 }: SourceContext): Promise<FrameSource> {
  return Promise.resolve({
    label: address.label,
    isEndless: true,
    run: async (ring, signal) => {
      const pace = new Pace(fpsMax, clock)
      const box = letterbox(picture, { width: ring.inputWidth, height: ring.inputHeight })
      while (!signal.aborted) {
        await pace.wait(signal)
        const slot = await ring.begin(box, signal)
        if (slot === undefined) return
        for (let y = 0; y < box.scaledHeight; y++)
          for (let x = 0; x < box.scaledWidth; x++) {
            const at = ((box.padTop + y) * box.inputWidth + box.padLeft + x) * 3
            slot.pixels.set(colors[Math.floor((4 * x) / box.scaledWidth)]!, at)
          }
        ring.commit(slot, clock.wallMs())
      }
    },
  })
}
`,
    },
    {
      path: 'src/camera/open-source.ts',
      notice: 'the compiler',
      change: [
        behind(
          "    case 'synthetic':\n      return syntheticSource(context)\n",
          "    case 'bars':\n      return barsSource(context)\n",
        ),
        behind(
          "import type { Clock } from '../base/clock.js'\n",
          "import { barsSource } from './bars-source.js'\n",
        ),
      ],
    },
    {
      path: 'src/camera/open-source.ts',
      notice: 'nobody',
      change: [
        behind(
          ' *      synthetic:///data/bus.jpg             a picture, panned and zoomed\n',
          ' *      bars://                               four bars of color\n',
        ),
      ],
    },
    {
      path: 'test/camera/source-uri.test.ts',
      notice: 'nobody',
      change: [behind("    ['synthetic', 'synthetic', ''],\n", "    ['bars://', 'bars', ''],\n")],
    },
    {
      path: 'test/camera/bars-source.test.ts',
      notice: 'nobody',
      change: `import t from 'tap'
import { openSource } from '../../src/camera/open-source.js'

t.test('the left bar is white, the right one green', async (t) => {
  const supply = await openSource({ uri: 'bars://', inputWidth: 64, inputHeight: 48, mode: 'live' })
  t.teardown(() => supply.stop())
  const lease = (await supply.next(new AbortController().signal))!
  const pixels = new Uint8Array(lease.pixels, lease.byteOffset, lease.byteLength)
  t.same([...pixels.subarray(0, 3)], [255, 255, 255])
  t.same([...pixels.subarray(3 * 63, 3 * 64)], [0, 255, 0])
  lease.release()
})
`,
    },
  ],
}
