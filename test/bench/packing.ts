/**
 * How small 8-bit models with zeros travel, and how fast they are packed and unpacked, each checked against its digest.
 * Run: node dist/test/bench/packing.js [--rounds 9] [--write]
 * Packing is what `bundle` does; unpacking is what a device does: blob file to model file, digest compared, on the disk for good.
 * --write puts the table into config/compress/README.md, between its marks.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { brotliCompressSync } from 'node:zlib'
import { sha256Of } from '../../src/base/digest.js'
import { packOptions } from '../../src/cli/bundle/pack-options.js'
import { graphRunner } from '../../src/cli/compress/graph-runner.js'
import { toEdgeForm } from '../../src/compress/edge-form.js'
import { calibrate, quantize } from '../../src/compress/quantization/quantize.js'
import { int8Target } from '../../src/compress/quantization/targets.js'
import { sparsify } from '../../src/compress/sparsity/sparsify.js'
import { exportModel } from '../../src/onnx/export-model.js'
import { importModel } from '../../src/onnx/import-model.js'
import type { Artefact } from '../../src/protocol/blob.js'
import { nodeFileSystem } from '../../src/store/fs.js'
import { storeLayout } from '../../src/store/layout.js'
import { unpackArtefact } from '../../src/store/unpack.js'
import { imagesIn } from '../helpers/calibration-images.js'
import { writeSection } from '../helpers/generated-page.js'
import { projectRoot, shared } from '../helpers/paths.js'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, write: { type: 'boolean', default: false } },
})
const rounds = Number(values.rounds)
const graph = toEdgeForm(importModel(readFileSync(shared('models', 'yolov8n.onnx'))))
const target = int8Target('x64-vnni')
const quantization = { target, method: 'min-max', biasCorrection: false } as const
// Sizes hardly depend on ranges: two pictures are enough.
const images = imagesIn(shared('coco', 'calib', 'images'), 2)
const observations = await calibrate(graph, quantization, graphRunner(), images)

const root = mkdtempSync(join(tmpdir(), 'yolo-edge-packing-'))
const layout = storeLayout(root)
for (const folder of [layout.blobsFolder, layout.partialFolder]) mkdirSync(folder)
const lines: string[] = []
try {
  for (const sparsity of [0, 0.5, 0.7]) lines.push(await lineOf(sparsity))
} finally {
  rmSync(root, { recursive: true, force: true })
}
const text = [
  `YOLOv8n on 8-bit integers (target ${target.name}), packed as \`bundle\` packs it and unpacked as a device does, to the digest of the file. MB are 10^6 bytes, a second those of the unpacked file, medians of ${rounds} rounds on ${cpus()[0]!.model}, ${cpus().length} threads, Node ${process.version}.`,
  [
    '| weights that are zero | file | packed | packing | unpacking |',
    `|${' --- |'.repeat(5)}`,
    ...lines,
  ].join('\n'),
].join('\n\n')
console.log(text)
if (values.write) await writeSection(join(projectRoot, 'config', 'compress', 'README.md'), 'packing', text)

async function lineOf(sparsity: number): Promise<string> {
  const { graph: sparse, report } = await sparsify(graph, { sparsity })
  const file = exportModel(quantize(sparse, observations, quantization).graph)
  const [packing, unpacking] = [[] as number[], [] as number[]]
  let packed = Buffer.alloc(0)
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now()
    packed = brotliCompressSync(file, packOptions(file.byteLength))
    packing.push(file.byteLength / 1e3 / (performance.now() - startMs))
    unpacking.push(file.byteLength / 1e3 / (await unpackingMs(file, packed)))
  }
  const share = `${((100 * report.zeros) / report.weights).toFixed(0)} %`
  const sizes = [file, packed].map(({ byteLength }) => `${(byteLength / 1e6).toFixed(2)} MB`)
  const speeds = [packing, unpacking].map((speed) => `${median(speed).toFixed(1)} MB/s`)
  return `| ${[share, ...sizes, ...speeds].join(' | ')} |`
}

/** Throws `integrity.digest_mismatch` where what comes out is not `file`. */
async function unpackingMs(file: Uint8Array, packed: Uint8Array): Promise<number> {
  const chunk = { chunkSizeBytes: packed.byteLength, chunks: [sha256Of(packed)] }
  const artefact: Artefact = {
    sha256: sha256Of(file),
    sizeBytes: file.byteLength,
    encoding: 'br',
    blob: { sha256: sha256Of(packed), sizeBytes: packed.byteLength, ...chunk },
  }
  writeFileSync(layout.blob(artefact.blob.sha256), packed)
  const startMs = performance.now()
  await unpackArtefact(nodeFileSystem, layout, artefact)
  return performance.now() - startMs
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[list.length >> 1]!
}
