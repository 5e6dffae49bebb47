/**
 * `yolo-edge publish`: puts a model version on the broker and tells a channel or a device to run it.
 * Invariant: the wish goes out last, after every byte that it leads to.
 */

import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { systemClock } from '../../base/clock.js'
import { AgentError, messageOf } from '../../base/errors.js'
import type { DesiredTarget } from '../../protocol/desired.js'
import type { SigningKey } from '../../protocol/keys.js'
import { publishBundle } from '../../transport/publish-bundle.js'
import { bundleFolder, bundleGiven } from '../bundle/bundle-given.js'
import { platformOption, type Platforms } from '../bundle/foreign-file.js'
import {
  bundleFrom,
  type BundleWishes,
  defaultGoldenImages,
  isBundleFolder,
  modelNameOf,
} from '../bundle/published-bundle.js'
import { brokerFlags, type BrokerOptions, withBrokerOptions, withFleet } from '../fleet/fleet-connection.js'
import { type OptionRules, withRules } from '../option-rules.js'
import { type InputSize, integerOption, sizeHelp, sizeOption, spanOption } from '../options.js'
import { processOutput } from '../output.js'
import { readSigningKey } from '../fleet/signing-key.js'
import { retireVersion } from '../fleet/retire.js'
import { boardLines, boardsWithoutInt8 } from '../fleet/boards-without-int8.js'
import { nextManifestSequence } from '../fleet/manifest-on-broker.js'
import { noteRefusals, refusalFields, tellTarget } from '../fleet/tell-target.js'
import { wishFor } from '../fleet/wish.js'

interface Options extends BrokerOptions {
  readonly sign?: string
  readonly unsigned?: boolean
  readonly name?: string
  readonly modelVersion?: string
  readonly sequence?: number
  readonly expires?: number
  readonly names?: string
  readonly golden?: string
  readonly size?: InputSize
  readonly goldenImages?: number
  readonly artefact: Platforms
  readonly channel: string
  readonly device?: string
  readonly wish: boolean
  readonly allowDowngrade?: boolean
  readonly retire?: boolean
  readonly json?: boolean
}

export function publishCommand(): Command {
  const command = new Command('publish')
    .description('Publish a model version over MQTT and tell a channel or a device to run it.')
    .argument(
      '[model...]',
      'YOLOv8 detectors as .onnx, each a variant of the same model, and files that vendors compiled of it; or one bundle folder',
    )
    .option('--sign <key>', 'private key that signs (made by yolo-edge keygen)')
    .option(
      '--unsigned',
      'publish without a signature; devices refuse it unless security.allow_unsigned is set',
    )
    .option('--name <name>', 'name of the model (default: the name of the first file)')
    .option('--model-version <version>', 'semantic version (default: made of the time)')
    .option(
      '--sequence <number>',
      'rises with each version; devices refuse to go back (default: unix time, and above what the broker holds)',
      integerOption('sequence', 1, Number.MAX_SAFE_INTEGER),
    )
    .option('--names <file>', 'class names, one a line, instead of those in the model')
    .option('--size <pixels>', sizeHelp, sizeOption)
    .option(
      '--artefact <kind=chip,runtime,version>',
      'what files of another kind than .onnx are for, such as hef=hailo8,hailort,4.20.0; may be repeated',
      platformOption,
      new Map() as Platforms,
    )
    .option('--golden <data>', 'labelled pictures that go out with the model; every device tries it on them')
    .option(
      '--golden-images <count>',
      `how many of them at the most (default: ${defaultGoldenImages})`,
      integerOption('golden-images', 1, 100_000),
    )
    .option('--channel <name>', 'the channel that should run it', 'stable')
    .option('--device <id>', 'one device instead of a channel')
    .option('--no-wish', 'only put it on the broker; tell nobody to run it')
    .option('--allow-downgrade', 'let devices go back to a version with a lower sequence')
    .option(
      '--expires <time>',
      'no device takes it up later than this, such as 90d (default: never)',
      spanOption('expires'),
    )
    .option('--retire', 'take the version of --name and --model-version off the broker instead')
    .option('--json', 'print JSON')
  return withRules(withBrokerOptions(command), rules, bundleGiven).action(publish)
}

const rules: OptionRules = {
  '--retire': { only: ['--name', '--model-version', ...brokerFlags, '--json'] },
  '--unsigned': { excludes: ['--sign'] },
  '--golden-images': { needs: ['--golden'] },
  '--device': { excludes: ['--channel'] },
  '--no-wish': { excludes: ['--channel', '--device', '--allow-downgrade'] },
  // It is signed as it is, and says all this itself.
  [bundleFolder]: {
    excludes: [
      ...['--name', '--model-version', '--sequence', '--names', '--size'],
      ...['--artefact', '--golden', '--golden-images', '--expires'],
    ],
  },
}

async function publish(paths: string[], options: Options): Promise<void> {
  if (options.retire === true) return retire(paths, options)
  if (paths.length === 0)
    throw new AgentError(
      'cli.argument_invalid',
      'publish without a file: expected a model or a bundle folder',
    )
  const output = processOutput(options.json ?? false)
  const keys = await signingKeys(options)
  const nowMs = systemClock.wallMs()
  const { expires } = options
  const bundle = await bundleFrom(
    paths,
    await bundleWishes(paths, options, keys, { nowMs, note: output.note }),
    keys,
    nowMs,
  )
  const { model, version, variants } = bundle.manifest
  const target: DesiredTarget =
    options.device === undefined
      ? { kind: 'channel', name: options.channel }
      : { kind: 'device', name: options.device }
  const { figures, told, withoutInt8 } = await withFleet(options, async (fleet) => {
    const { connection, topics } = fleet
    const progress = output.progress(`publishing ${model} ${version}`)
    const sent = await publishBundle(connection, topics, bundle, {
      onProgress: (done, total) => {
        progress.update(done / total)
      },
    })
    progress.done(`${sent.sentChunks} chunks sent, ${sent.presentChunks} were there`)
    if (!options.wish) return { figures: sent, withoutInt8: [] }
    const withoutInt8 = await boardsWithoutInt8(fleet, target, variants)
    const wish = wishFor(bundle.manifest, target, nowMs, {
      allowDowngrade: options.allowDowngrade ?? false,
      ...(expires !== undefined && { holdsForMs: expires }),
    })
    const heard = await tellTarget(fleet, target, keys, (wishSequence) => ({
      kind: 'wish',
      wish: { ...wish, sequence: wishSequence },
    }))
    return { figures: sent, told: heard, withoutInt8 }
  })
  output.result({
    model,
    version,
    sequence: bundle.manifest.sequence,
    variants: variants.map(({ id, artefact }) => ({
      id,
      sha256: artefact.sha256,
      size_bytes: artefact.sizeBytes,
    })),
    ...(options.wish && { target }),
    sent_chunks: figures.sentChunks,
    sent_bytes: figures.sentBytes,
    present_chunks: figures.presentChunks,
    ...(told !== undefined && refusalFields(told)),
    ...(withoutInt8.length > 0 && { without_int8: withoutInt8 }),
  })
  output.line(`${model} ${version} is published: ${variants.map(({ id }) => id).join(', ')}`)
  if (options.wish) output.line(`${target.kind} ${target.name} is told to run it`)
  for (const line of boardLines(withoutInt8)) output.note(line)
  if (told !== undefined) noteRefusals(output, told)
}

/** What the options say of the bundle. */
async function bundleWishes(
  paths: readonly string[],
  options: Options,
  keys: readonly SigningKey[],
  { nowMs, note }: { readonly nowMs: number; readonly note: (text: string) => void },
): Promise<BundleWishes> {
  const sequence = options.sequence ?? (await freeSequence(paths, options, keys, nowMs))
  const { name, modelVersion, expires, golden, size, goldenImages, artefact, names } = options
  return {
    ...(name !== undefined && { name }),
    ...(modelVersion !== undefined && { version: modelVersion }),
    ...(sequence !== undefined && { sequence }),
    ...(expires !== undefined && { expiresAt: new Date(nowMs + expires).toISOString() }),
    ...(golden !== undefined && { golden: { path: golden, reading: { note } } }),
    ...(size !== undefined && { size }),
    ...(goldenImages !== undefined && { goldenImages }),
    ...(artefact.size > 0 && { platforms: artefact }),
    ...(names !== undefined && { classNames: await readNames(names) }),
  }
}

/** A sequence above those of the versions before; undefined for a bundle folder, which has its own. */
async function freeSequence(
  paths: readonly string[],
  options: Options,
  keys: readonly SigningKey[],
  nowMs: number,
): Promise<number | undefined> {
  if (await isBundleFolder(paths)) return undefined
  const model = modelNameOf(paths, options)
  return withFleet(options, (fleet) => nextManifestSequence(fleet, model, keys, nowMs))
}

/** Needs no key: a broker's access rules say who may clear what it holds. */
async function retire(paths: readonly string[], options: Options): Promise<void> {
  const { name: model, modelVersion: version } = options
  if (paths.length > 0 || model === undefined || version === undefined) {
    const problem = 'publish --retire: expected --name and --model-version, and no file'
    throw new AgentError('cli.argument_invalid', problem)
  }
  const output = processOutput(options.json ?? false)
  const { clearedChunks, keptChunks, doubts } = await withFleet(options, async (fleet) => {
    const progress = output.progress(`retiring ${model} ${version}`)
    const onProgress = (fraction: number): void => {
      progress.update(fraction)
    }
    const figures = await retireVersion(fleet, { model, version }, { onProgress })
    progress.done()
    return figures
  })
  output.result({ model, version, cleared_chunks: clearedChunks, kept_chunks: keptChunks, doubts })
  if (doubts.length > 0) {
    output.line(
      `no device can fetch ${model} ${version} any more; its ${keptChunks} chunks stay on the broker:`,
    )
    for (const doubt of doubts) output.line(`  ${doubt}`)
    output.line('then give the same command once more')
    return
  }
  output.line(
    `${model} ${version} is off the broker: ${clearedChunks} chunks cleared, ${keptChunks} kept for other versions`,
  )
}

async function signingKeys(options: Options): Promise<readonly SigningKey[]> {
  if (options.sign !== undefined) return [await readSigningKey(options.sign)]
  if (options.unsigned === true) return []
  throw new AgentError('cli.argument_invalid', 'publish without --sign: expected --sign KEY, or --unsigned', {
    hint: 'yolo-edge keygen fleet makes fleet.key, which signs, and fleet.pub, which devices trust',
  })
}

async function readNames(path: string): Promise<readonly string[]> {
  try {
    return (await readFile(path, 'utf8')).split(/\r?\n/).filter((line) => line.trim() !== '')
  } catch (thrown) {
    const problem = `cannot read the class names ${path}: ${messageOf(thrown)}`
    throw new AgentError('model.labels_invalid', problem, { cause: thrown })
  }
}
