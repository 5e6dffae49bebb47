import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { platformOption } from '../../../src/cli/bundle/foreign-file.js'
import { bundleFrom } from '../../../src/cli/bundle/published-bundle.js'
import { tinyDetector } from '../../helpers/tiny-detector.js'

t.test('a file of a vendor goes out beside the ONNX file that says what it computes', async (t) => {
  const folder = t.testdir({ 'yolo.hef': 'HEF' })
  const [onnx, hef] = [join(folder, 'yolo.onnx'), join(folder, 'yolo.hef')]
  writeFileSync(onnx, tinyDetector().bytes)
  const platforms = platformOption('hef=hailo8,hailort,4.20.0', new Map())
  const { manifest } = await bundleFrom([onnx, hef], { platforms }, [], 1000)
  t.match(manifest.variants, [
    { id: 'fp32-32', kind: 'onnx' },
    {
      id: 'hef-hailo8',
      kind: 'hef',
      input: { width: 32, height: 32 },
      platform: { chip: 'hailo8', runtime: 'hailort', runtimeVersion: '4.20.0' },
    },
  ])
  await t.rejects(bundleFrom([onnx, hef], {}, [], 1000), {
    code: 'cli.argument_invalid',
    message: /yolo\.hef: expected --artefact hef=CHIP,RUNTIME/,
  })
  await t.rejects(bundleFrom([hef], { platforms }, [], 1000), { message: /expected an \.onnx file among/ })
})

t.test('what a file is for is said in one word list', (t) => {
  const both = platformOption('rknn=rk3588,rknn', platformOption('hef=hailo8,hailort,4.20.0', new Map()))
  t.same([...both.keys()], ['hef', 'rknn'])
  t.same(both.get('rknn'), { chip: 'rk3588', runtime: 'rknn' })
  for (const text of ['hef', 'hef=', 'hef=hailo8', 'onnx=a,b', 'hef=a b,c'])
    t.throws(() => platformOption(text, new Map()), { code: 'cli.argument_invalid' }, text)
  t.end()
})
