/**
 * The manifest: everything a device must know of one model version before it downloads anything.
 * Invariant: a parsed manifest is consistent in itself; nothing in it is believed before its envelope is verified.
 * Compatibility: lists of words (kinds, precisions, forms, encodings, providers) are open; a device skips variants it cannot use.
 */

import * as v from 'valibot'
import type { Sha256 } from '../base/sha256.js'
import { artefactField } from './blob.js'
import type { Artefact } from './blob.js'
import {
  amountField,
  countField,
  fractionField,
  integerField,
  lineField,
  listField,
  momentField,
  nameField,
  sha256Field,
  versionField,
  wordField,
} from './fields.js'
import { jsonPayload } from './json-payload.js'
import { limits } from './limits.js'

/** The DSSE payload type of a manifest. */
export const manifestPayloadType = 'application/vnd.yolo-edge.manifest+json'

/** What a variant lost on the way from the export. */
export interface Pruning {
  /** `structured`, `unstructured`, `2:4`, ... */
  readonly method: string
  /** How importance was scored: `l1`, `taylor`, ... */
  readonly criterion: string
  /** Share of the export's multiply-accumulates and parameters that is left, 0..1. */
  readonly macsKept: number
  readonly parametersKept: number
  /** Share of weights that are zero, 0..1. */
  readonly weightSparsity: number
}

/** Accuracy measured when the bundle was made. */
export interface ExpectedAccuracy {
  /** mAP50-95, 0..1. */
  readonly map: number
  /** mAP50, 0..1. */
  readonly map50: number
  readonly dataset: string
  /** How many images it was measured on. */
  readonly images: number
}

/** What an artefact that is not ONNX was built for; each field that is given has to match. */
export interface Platform {
  /** SoC or accelerator: `t234`, `hailo8`, `rk3588`. */
  readonly chip?: string
  /** Software that loads it, and its version: `tensorrt`, `10.3`. */
  readonly runtime?: string
  readonly runtimeVersion?: string
}

/** One runnable file of a model version. */
export interface Variant {
  /** Unique in its manifest. */
  readonly id: string
  /** `onnx`, or `engine`, `hef`, `rknn` with a platform. */
  readonly kind: string
  readonly artefact: Artefact
  /** `fp32`, `fp16`, `int8`. */
  readonly precision: string
  /** Which kernels the int8 layout is made for: `x64-vnni`, `x64`, `arm64`, `tensorrt`, `npu`. */
  readonly int8Target?: string
  /**
   * Input and output form: `export` as Ultralytics writes it, `edge` with pixels in and raw heads out, `final` with no box left to
   * remove, `custom` for any other layout that the file itself tells. A device leaves out a form that it does not know.
   */
  readonly form: string
  /** Input size where it differs from the manifest's, pixels. */
  readonly input?: { readonly width: number; readonly height: number }
  readonly pruning?: Pruning
  /** Multiply-accumulates of one picture. */
  readonly macs: number
  readonly parameters: number
  readonly expected?: ExpectedAccuracy
  /** ONNX Runtime execution providers it is meant for, best first: `cpu`, `cuda`, `tensorrt`. Empty: any. */
  readonly providers: readonly string[]
  /**
   * CPU instructions without which it must not run, by the names of /proc/cpuinfo: each entry is needed, `a|b` where one of them is
   * enough; and those that make it fast.
   */
  readonly cpuNeeds: readonly string[]
  readonly cpuPrefers: readonly string[]
  readonly platform?: Platform
}

const cpuNeedField = v.pipe(
  v.string(),
  v.regex(
    /^[a-z0-9._-]{1,40}(\|[a-z0-9._-]{1,40}){0,7}$/,
    'a CPU instruction such as avx2, or up to 8 with | between them',
  ),
)

/** The forms that this version's decoding knows. */
export const variantForms: readonly string[] = ['export', 'edge', 'final', 'custom']

/** All that is published of one model version, apart from the bytes. */
export interface Manifest {
  readonly model: string
  readonly version: string
  /** Strictly rises with each published version of a model: a device refuses to go back unless told to. */
  readonly sequence: number
  readonly createdAt: string
  /** No device takes the version up after this moment; who serves it goes on. Off unless given. */
  readonly expiresAt?: string
  readonly task: 'detect'
  /** Position is the class index. */
  readonly classNames: readonly string[]
  /** Model input size, pixels. */
  readonly input: { readonly width: number; readonly height: number }
  readonly variants: readonly Variant[]
  /** Images with labels that every variant is tried on before it serves. */
  readonly golden?: { readonly artefact: Artefact; readonly images: number }
  readonly source: {
    /** Digest of the export that everything was made from. */
    readonly sha256: Sha256
    readonly toolVersion: string
    /** Name or text of the compression plan. */
    readonly plan?: string
  }
}

const inputField = v.object({ width: integerField(32, 8192), height: integerField(32, 8192) })

const variantField: v.GenericSchema<unknown, Variant> = v.pipe(
  v.object({
    id: nameField,
    kind: wordField,
    artefact: artefactField,
    precision: wordField,
    int8Target: v.exactOptional(wordField),
    form: wordField,
    input: v.exactOptional(inputField),
    pruning: v.exactOptional(
      v.object({
        method: lineField(40),
        criterion: lineField(40),
        macsKept: fractionField,
        parametersKept: fractionField,
        weightSparsity: fractionField,
      }),
    ),
    macs: amountField,
    parameters: countField,
    expected: v.exactOptional(
      v.object({ map: fractionField, map50: fractionField, dataset: lineField(120), images: countField }),
    ),
    providers: listField(wordField, 32),
    cpuNeeds: listField(cpuNeedField, 64),
    cpuPrefers: listField(wordField, 64),
    platform: v.exactOptional(
      v.object({
        chip: v.exactOptional(lineField(80)),
        runtime: v.exactOptional(lineField(80)),
        runtimeVersion: v.exactOptional(lineField(80)),
      }),
    ),
  }),
  v.check(
    ({ kind, platform }) => kind === 'onnx' || platform !== undefined,
    'a platform, because the kind is not onnx',
  ),
)

const isUnique = (values: readonly string[]): boolean => new Set(values).size === values.length

/** One blob name stands for one set of chunks, whoever refers to it. */
function hasOneGridPerBlob(manifest: Manifest): boolean {
  const grids = new Map<Sha256, string>()
  return artefactsOf(manifest).every(({ blob }) => {
    const grid = `${blob.sizeBytes} ${blob.chunkSizeBytes} ${blob.chunks.join()}`
    const known = grids.get(blob.sha256)
    grids.set(blob.sha256, grid)
    return known === undefined || known === grid
  })
}

const manifestShape: v.GenericSchema<unknown, Manifest> = v.object({
  model: nameField,
  version: versionField,
  sequence: integerField(1, Number.MAX_SAFE_INTEGER),
  createdAt: momentField,
  expiresAt: v.exactOptional(momentField),
  task: v.literal('detect'),
  classNames: v.pipe(listField(lineField(100), 10_000), v.minLength(1, 'at least one class name')),
  input: inputField,
  variants: v.pipe(
    listField(variantField, 64),
    v.minLength(1, 'at least one variant'),
    v.check((variants) => isUnique(variants.map(({ id }) => id)), 'variants with different ids'),
  ),
  golden: v.exactOptional(v.object({ artefact: artefactField, images: integerField(1, 100_000) })),
  source: v.object({
    sha256: sha256Field,
    toolVersion: lineField(64),
    plan: v.exactOptional(v.pipe(v.string(), v.maxLength(16_384, 'at most 16384 characters'))),
  }),
})

const manifestSchema = v.pipe(
  manifestShape,
  v.check(hasOneGridPerBlob, 'the same chunks wherever a blob is named twice'),
)

const payload = jsonPayload<Manifest>({
  what: 'manifest',
  schema: manifestSchema,
  bytesMax: limits.manifestBytes,
  version: 1,
})

/** Reads a manifest: the payload of a verified envelope. Throws `protocol.*` errors that name the field. */
export const parseManifest = payload.parse

/** Writes a manifest; these bytes are what is signed. Throws like {@link parseManifest} when it is not consistent. */
export const encodeManifest = payload.encode

/** Every artefact that a manifest names: those of the variants in order, then the golden set. */
export function artefactsOf(manifest: Manifest): readonly Artefact[] {
  const artefacts = manifest.variants.map((variant) => variant.artefact)
  return manifest.golden === undefined ? artefacts : [...artefacts, manifest.golden.artefact]
}

/** The input size of `variant` in pixels. */
export function inputSizeOf(
  manifest: Manifest,
  variant: Variant,
): { readonly width: number; readonly height: number } {
  return variant.input ?? manifest.input
}

/** The form on the wire, for documents. */
export const manifestWire = payload.shape
