/** What `publish` sends: a bundle folder, or model files described and signed on the spot. */

import { stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { AgentError } from '../../base/errors.js'
import { sealEnvelope } from '../../protocol/envelope.js'
import type { SigningKey } from '../../protocol/keys.js'
import { encodeManifest, manifestPayloadType } from '../../protocol/manifest.js'
import type { PublishedBundle } from '../../transport/publish-bundle.js'
import { readDetectorFile } from '../model-file.js'
import type { InputSize } from '../options.js'
import { packageVersion } from '../package-version.js'
import { type BundleContent, readBundle } from './bundle-folder.js'
import { isOnnxPath, type Platforms, readForeignFile } from './foreign-file.js'
import type { DatasetReading } from '../dataset/dataset.js'
import { openDataset } from '../dataset/open-dataset.js'
import { goldenFileFrom } from './golden-file.js'
import { makeBundle } from './make-bundle.js'

/** Enough to tell a broken model from a good one in seconds on a small board. */
export const defaultGoldenImages = 24

/** What a person may say of model files; everything has a default. */
export interface BundleWishes {
  readonly name?: string
  readonly version?: string
  readonly sequence?: number
  /** No device takes the version up after it. */
  readonly expiresAt?: string
  readonly classNames?: readonly string[]
  /** A data set whose pictures go out as the golden set, and how many at the most. */
  readonly golden?: { readonly path: string; readonly reading: DatasetReading }
  readonly goldenImages?: number
  /** Input size of models that leave it open. */
  readonly size?: InputSize
  /** What files that are not ONNX are for. */
  readonly platforms?: Platforms
}

/** Whether `paths` is one bundle folder. */
export async function isBundleFolder(paths: readonly string[]): Promise<boolean> {
  const [path] = paths
  if (paths.length !== 1 || path === undefined) return false
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() === true
}

/**
 * The bundle that lies in a folder and says all by itself, or one made of .onnx files as `wishes` say and signed with `keys`.
 * Throws `bundle.*`, `model.*`, `integrity.*`.
 */
export async function bundleFrom(
  paths: readonly string[],
  wishes: BundleWishes,
  keys: readonly SigningKey[],
  nowMs: number,
): Promise<PublishedBundle> {
  if (await isBundleFolder(paths)) return readBundle(paths[0]!)
  const onnxPaths = paths.filter(isOnnxPath)
  const files = await Promise.all(onnxPaths.map((path) => readDetectorFile(path, wishes.size)))
  if (files.length === 0)
    throw new AgentError('cli.argument_invalid', `expected an .onnx file among ${paths.join(', ')}`)
  const platforms = wishes.platforms ?? new Map<string, never>()
  const foreign = await Promise.all(
    paths.filter((path) => !isOnnxPath(path)).map((path) => readForeignFile(path, platforms)),
  )
  const classNames = wishes.classNames ?? files[0]!.description.classNames
  const golden =
    wishes.golden === undefined
      ? undefined
      : await goldenFileFrom(
          await openDataset(wishes.golden.path, classNames, wishes.golden.reading),
          wishes.goldenImages ?? defaultGoldenImages,
        )
  const content = makeBundle(
    files.map((file, index) => ({ path: onnxPaths[index]!, ...file })),
    {
      model: modelNameOf(onnxPaths, wishes),
      version: wishes.version ?? versionAt(nowMs),
      sequence: wishes.sequence ?? Math.floor(nowMs / 1000),
      createdAt: new Date(nowMs).toISOString(),
      ...(wishes.expiresAt !== undefined && { expiresAt: wishes.expiresAt }),
      toolVersion: packageVersion(),
      source: files[0]!.fileBytes,
      ...(wishes.classNames !== undefined && { classNames: wishes.classNames }),
      ...(golden !== undefined && { golden }),
      foreign,
    },
  )
  return inMemory(content, keys)
}

/** The name of the model that is published of `paths`. */
export function modelNameOf(paths: readonly string[], { name }: Pick<BundleWishes, 'name'>): string {
  return name ?? nameOf(paths.find(isOnnxPath) ?? paths[0] ?? '')
}

/** A bundle that was never on a disk. */
export function inMemory({ manifest, blobs }: BundleContent, keys: readonly SigningKey[]): PublishedBundle {
  return {
    manifest,
    envelope: sealEnvelope(manifestPayloadType, encodeManifest(manifest), keys),
    readChunk: (blob, start, sizeBytes) => {
      const bytes = blobs.get(blob.sha256)
      if (bytes === undefined) {
        return Promise.reject(
          new AgentError('bundle.file_missing', `blob ${blob.sha256} is not in the bundle`),
        )
      }
      return Promise.resolve(bytes.subarray(start, start + sizeBytes))
    },
  }
}

/** `parts/yolov8n.onnx` -> `yolov8n`. */
export function nameOf(path: string): string {
  const name = basename(path, extname(path)).replaceAll(/[^A-Za-z0-9._-]/g, '-')
  return name === '' ? 'model' : name
}

/** A semantic version that rises with time: `0.20261124.1330`. */
export function versionAt(nowMs: number): string {
  const digits = new Date(nowMs).toISOString().replaceAll(/\D/g, '')
  return `0.${digits.slice(0, 8)}.${Number(digits.slice(8, 14))}`
}
