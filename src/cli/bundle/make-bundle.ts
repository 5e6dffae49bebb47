/**
 * From model files to a bundle: reads what each file is, and describes it as a variant.
 * Invariant: everything a manifest says of a file was read from the file or given by the caller; nothing is assumed.
 */

import { brotliCompressSync } from 'node:zlib'
import { sha256Of } from '../../base/digest.js'
import { type Sha256 } from '../../base/sha256.js'
import { AgentError } from '../../base/errors.js'
import { int8Targets, isInt8Target } from '../../compress/quantization/targets.js'
import { costOf } from '../../onnx/cost.js'
import type { Graph } from '../../onnx/graph.js'
import { precisionOf } from '../../onnx/precision.js'
import type { Artefact } from '../../protocol/blob.js'
import { cutBlob } from '../../protocol/cut-blob.js'
import type { ExpectedAccuracy, Manifest, Pruning, Variant } from '../../protocol/manifest.js'
import { variantName } from '../../yolo/variant-name.js'
import type { ModelDescription } from '../../yolo/model-description.js'
import { requireSameClasses } from '../model-file.js'
import type { BundleContent } from './bundle-folder.js'
import type { ForeignFile } from './foreign-file.js'
import type { GoldenFile } from './golden-file.js'
import { packOptions } from './pack-options.js'

/** One model file, and what cannot be read from it. */
export interface VariantFile {
  /** For messages. */
  readonly path: string
  readonly bytes: Uint8Array
  readonly graph: Graph
  readonly description: ModelDescription
  /** Given by the caller, or made of precision, target and input size. */
  readonly id?: string
  readonly expected?: ExpectedAccuracy
  readonly pruning?: Pruning
  /** By default those that compute in the form of its integers. */
  readonly providers?: readonly string[]
}

export interface BundleOptions {
  readonly model: string
  readonly version: string
  readonly sequence: number
  readonly createdAt: string
  readonly expiresAt?: string
  readonly toolVersion: string
  /** Instead of the names in the model; as many as it has classes. */
  readonly classNames?: readonly string[]
  readonly plan?: string
  /** What everything was made from; by default the first file. */
  readonly source?: Uint8Array
  /** Files that vendors' compilers made of the same model. */
  readonly foreign?: readonly ForeignFile[]
  /** Pictures with labels on which every device tries the model. */
  readonly golden?: GoldenFile
}

/** Below this share of the original a compressed blob is worth unpacking on the device. */
const worthwhileShare = 0.97

/** Describes `files` (at least one; the first is the source unless the plan says otherwise) as one model version. */
export function makeBundle(files: readonly VariantFile[], options: BundleOptions): BundleContent {
  const blobs = new Map<Sha256, Uint8Array>()
  const variants: Variant[] = []
  requireSameClasses(files)
  for (const file of files) {
    const { graph, description } = file
    const { artefact, blobBytes } = packFile(file.bytes)
    blobs.set(artefact.blob.sha256, blobBytes)
    variants.push(variantOf(file, graph, description, artefact))
  }
  const [first] = files
  if (first === undefined)
    throw new AgentError('cli.argument_invalid', 'a bundle needs at least one model file')
  const lead = first.description
  const [beside] = variants
  for (const file of options.foreign ?? []) {
    const { artefact, blobBytes } = packFile(file.bytes)
    blobs.set(artefact.blob.sha256, blobBytes)
    variants.push(foreignVariant(file, beside!, artefact))
  }
  const golden = options.golden === undefined ? undefined : packFile(options.golden.bytes)
  if (golden !== undefined) blobs.set(golden.artefact.blob.sha256, golden.blobBytes)
  const manifest: Manifest = {
    model: options.model,
    version: options.version,
    sequence: options.sequence,
    createdAt: options.createdAt,
    ...(options.expiresAt !== undefined && { expiresAt: options.expiresAt }),
    task: 'detect',
    classNames: chosenNames(lead, options.classNames),
    input: { width: lead.inputWidth, height: lead.inputHeight },
    variants: withOwnIds(variants, [...files, ...(options.foreign ?? [])]),
    ...(golden !== undefined && {
      golden: { artefact: golden.artefact, images: options.golden!.images },
    }),
    source: {
      sha256: sha256Of(options.source ?? first.bytes),
      toolVersion: options.toolVersion,
      ...(options.plan === undefined ? {} : { plan: options.plan }),
    },
  }
  return { manifest, blobs }
}

function chosenNames(lead: ModelDescription, given: readonly string[] | undefined): readonly string[] {
  if (given === undefined) return lead.classNames
  if (given.length === lead.classNames.length) return given
  const problem = `the model has ${lead.classNames.length} classes, expected as many names, got ${given.length}`
  throw new AgentError('model.labels_invalid', problem)
}

/** Files that are alike in precision, target and size are told apart by their names. */
function withOwnIds(
  variants: readonly Variant[],
  files: readonly { readonly path: string; readonly id?: string }[],
): readonly Variant[] {
  const counts = new Map<string, number>()
  for (const { id } of variants) counts.set(id, (counts.get(id) ?? 0) + 1)
  return variants.map((variant, index) => {
    if (counts.get(variant.id) === 1 || files[index]!.id !== undefined) return variant
    const [name = ''] = files[index]!.path.split('/').slice(-1)
    return { ...variant, id: name.replace(/\.[a-z]+$/, '').replaceAll(/[^A-Za-z0-9._-]/g, '-') }
  })
}

function packFile(bytes: Uint8Array): { readonly artefact: Artefact; readonly blobBytes: Uint8Array } {
  const packed = brotliCompressSync(bytes, packOptions(bytes.byteLength))
  const isWorthwhile = packed.byteLength < bytes.byteLength * worthwhileShare
  const blobBytes = isWorthwhile ? packed : bytes
  return {
    blobBytes,
    artefact: {
      sha256: sha256Of(bytes),
      sizeBytes: bytes.byteLength,
      encoding: isWorthwhile ? 'br' : 'none',
      blob: cutBlob(blobBytes),
    },
  }
}

function variantOf(
  file: VariantFile,
  graph: Graph,
  description: ModelDescription,
  artefact: Artefact,
): Variant {
  const precision = precisionOf(graph)
  const target = graph.metadata.get('yolo_edge.int8_target')
  const { macs, parameters } = costOf(graph)
  if (macs === undefined) {
    const problem = `cannot publish ${file.path}: its input size is dynamic, expected a fixed one`
    throw new AgentError('model.graph_invalid', problem, {
      hint: 'export it with dynamic=False, or run it through yolo-edge compress',
    })
  }
  const { inputWidth: width, inputHeight: height } = description
  return {
    id: file.id ?? variantName({ precision, target, width, height }),
    kind: 'onnx',
    artefact,
    precision,
    ...(target === undefined ? {} : { int8Target: target }),
    form: formOf(description),
    input: { width, height },
    ...(file.pruning === undefined ? {} : { pruning: file.pruning }),
    macs,
    parameters,
    ...(file.expected === undefined ? {} : { expected: file.expected }),
    providers: file.providers ?? (isInt8Target(target) ? int8Targets[target].providers : []),
    cpuNeeds: isInt8Target(target) ? int8Targets[target].cpuNeeds : [],
    cpuPrefers: isInt8Target(target) ? int8Targets[target].cpuPrefers : [],
  }
}

/**
 * The form of a file as the manifest names it. Devices that know `export` and `edge` alone would take a file that divides its pixels
 * itself, or whose output is arranged otherwise, for an export; another word makes them refuse it.
 */
function formOf({ output, inputLayout, inputMax }: ModelDescription): string {
  if (output.kind === 'boxes') return 'final'
  if (output.kind === 'heads') return inputLayout === 'nhwc-uint8' ? 'edge' : 'custom'
  const isExport =
    inputLayout === 'nchw-float' &&
    inputMax === undefined &&
    output.scores === undefined &&
    output.anchorsFirst !== true
  return isExport ? 'export' : 'custom'
}

/** A variant whose inside nobody here can read: what it computes is told by the ONNX file beside it. */
function foreignVariant({ kind, platform }: ForeignFile, beside: Variant, artefact: Artefact): Variant {
  const { input, macs, parameters } = beside
  return {
    id: [kind, platform.chip].filter((part) => part !== undefined).join('-'),
    kind,
    artefact,
    precision: 'unknown',
    form: 'edge',
    ...(input !== undefined && { input }),
    macs,
    parameters,
    providers: [],
    cpuNeeds: [],
    cpuPrefers: [],
    platform,
  }
}
