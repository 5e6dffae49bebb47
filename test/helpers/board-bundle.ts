/** A bundle with a variant for every kind of board: what the tables of boards and variants are made of. */

import type { Variant } from '../../src/protocol/manifest.js'
import { cutBlob } from '../../src/protocol/cut-blob.js'
import { bytesFrom } from './blobs.js'

/** Multiply-accumulates and parameters of YOLOv8n; the cost grows with the area of the picture. */
const macsAt640 = 4.35e9
const parameters = 3.15e6

function variant(id: string, changes: Partial<Variant>): Variant {
  const bytes = bytesFrom(id.length, 64)
  const blob = cutBlob(bytes)
  const isSmall = id.includes('320')
  const size = isSmall ? 320 : 640
  return {
    id,
    kind: 'onnx',
    artefact: { sha256: blob.sha256, sizeBytes: 3_300_000, encoding: 'none', blob },
    precision: 'int8',
    form: 'edge',
    input: { width: size, height: size },
    macs: isSmall ? macsAt640 / 4 : macsAt640,
    parameters,
    expected: { map: isSmall ? 0.27 : 0.345, map50: 0.5, dataset: 'COCO', images: 250 },
    providers: [],
    cpuNeeds: [],
    cpuPrefers: [],
    ...changes,
  }
}

export const boardBundle: readonly Variant[] = [
  variant('fp32-640', {
    precision: 'fp32',
    expected: { map: 0.35, map50: 0.5, dataset: 'COCO', images: 250 },
  }),
  variant('fp32-320', { precision: 'fp32' }),
  variant('int8-x64-vnni-640', { int8Target: 'x64-vnni', cpuPrefers: ['avx512_vnni', 'avx_vnni'] }),
  variant('int8-x64-640', { int8Target: 'x64' }),
  variant('int8-arm64-640', { int8Target: 'arm64', cpuPrefers: ['asimddp'] }),
  variant('int8-arm64-320', { int8Target: 'arm64', cpuPrefers: ['asimddp'] }),
  variant('fp16-tensorrt-640', { precision: 'fp16', providers: ['tensorrt', 'cuda'] }),
  variant('engine-orin-640', {
    kind: 'engine',
    precision: 'fp16',
    platform: { chip: 't234', runtime: 'tensorrt', runtimeVersion: '10.3.0' },
  }),
  variant('hef-hailo8-640', {
    kind: 'hef',
    platform: { chip: 'hailo8', runtime: 'hailort', runtimeVersion: '4.20.0' },
  }),
  variant('rknn-rk3588-640', { kind: 'rknn', platform: { chip: 'rk3588', runtime: 'rknn' } }),
]

/** Runners that a board has when its owner installed one; every other board has none. */
export const boardRunners: Readonly<
  Record<string, readonly { readonly kind: string; readonly runtime: string; readonly version: string }[]>
> = {
  'pi-5': [{ kind: 'hef', runtime: 'hailort', version: '4.20.0' }],
  'rock-5b': [{ kind: 'rknn', runtime: 'rknn', version: '2.3.0' }],
  'jetson-agx-orin': [{ kind: 'engine', runtime: 'tensorrt', version: '10.3.0' }],
}

/** Execution providers proven on a board with a library of its own; on the others the CPU. */
export const boardProviders: Readonly<Record<string, readonly string[]>> = {
  'jetson-agx-orin': ['tensorrt', 'cuda', 'cpu'],
  'x86-nvidia': ['cuda', 'cpu'],
}
