import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { exportModel } from '../../../src/onnx/export-model.js'
import { importModel } from '../../../src/onnx/import-model.js'
import { skipWithoutTool } from '../../helpers/clips.js'
import { withFinalBoxes } from '../../helpers/export-forms.js'
import { readExport } from '../../helpers/exports.js'
import { projectRoot } from '../../helpers/paths.js'

t.setTimeout(120_000)

const network = importModel(readExport('newest'))
const picture = await sharp({ create: { width: 96, height: 64, channels: 3, background: '#a05030' } })
  .png()
  .toBuffer()
const folder = t.testdir({
  pictures: {
    'a.png': picture,
    deep: { 'b.png': picture, 'b.webp': await sharp(picture).webp().toBuffer() },
  },
})
const inFolder = (...parts: readonly string[]): string => join(folder, ...parts)

/** The final boxes of `network` under other class names. */
function named(names: readonly string[]): Uint8Array {
  const metadata = new Map(network.metadata).set('names', JSON.stringify(names))
  return exportModel({ ...withFinalBoxes(network, 20), metadata })
}
writeFileSync(inFolder('same.onnx'), named(['part', 'part', 'part']))
writeFileSync(inFolder('apart.onnx'), named(['a', 'b', 'c']))

function detect(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js')
  return spawnSync(process.execPath, [program, 'detect', ...args], { cwd: folder, encoding: 'utf8' })
}

t.test('a folder is read with all folders below it, and no saved picture takes the place of another', (t) => {
  const model = ['--model', 'apart.onnx', '--conf', '0']
  const seen = detect('pictures', ...model, '--save', 'pictures/boxes')
  t.equal(seen.status, 0, seen.stderr)
  for (const name of ['a.png', 'deep/b.png', 'deep/b.webp'])
    t.match(seen.stdout, new RegExp(`pictures/${name}: \\d`))
  for (const name of ['a.jpg', 'deep/b.png.jpg', 'deep/b.webp.jpg'])
    t.ok(existsSync(inFolder('pictures', 'boxes', name)), name)
  const again = detect('pictures', ...model, '--save', 'pictures/boxes', '--json')
  t.equal(
    (JSON.parse(again.stdout) as { pictures: unknown[] }).pictures.length,
    3,
    'not what it wrote itself',
  )
  for (const target of ['pictures', 'pictures/a.png']) {
    const refused = detect(target, ...model, '--save', target)
    t.equal(refused.status, 2)
    t.match(refused.stderr, /--save .*would overwrite what is read/)
  }
  t.ok(readFileSync(inFolder('pictures', 'a.png')).equals(picture))
  t.end()
})

t.test('classes of equal names stay apart', { skip: skipWithoutTool('ffmpeg') }, (t) => {
  const clip = spawnSync('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=duration=1:size=96x64:rate=3'],
    inFolder('clip.avi'),
  ])
  t.equal(clip.status, 0)
  t.match(
    detect('pictures/a.png', '--model', 'same.onnx', '--conf', '0').stdout,
    /a\.png: \d+ part \([012]\)[^]*\npart \([012]\) +\d/,
  )
  const counts = (model: string): Record<string, number> => {
    const { stdout } = detect('clip.avi', '--model', model, '--conf', '0', '--json')
    return (JSON.parse(stdout) as { detections_by_class: Record<string, number> }).detections_by_class
  }
  const [apart, same] = [counts('apart.onnx'), counts('same.onnx')]
  t.same(Object.values(same).sort(), Object.values(apart).sort())
  t.ok(Object.keys(same).every((name) => /^part \([012]\)$/.test(name)))
  t.end()
})
