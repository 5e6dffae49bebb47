/** `yolo-edge bench --all-variants`: what a device would measure of a bundle, and what it would choose. */

import { chosenInference } from '../../agent/runtimes/installed-runtimes.js'
import { probeProviders } from '../../agent/probe/probe-providers.js'
import { probeRunners, workingRunners } from '../../agent/probe/probe-runners.js'
import { libraryOptionsOf } from '../../agent/serving/open-served-model.js'
import { systemClock } from '../../base/clock.js'
import { AgentError } from '../../base/errors.js'
import { loadConfig } from '../../config/load.js'
import { accuracyOf } from '../../update/choose-variant.js'
import { bundleFrom } from '../bundle/published-bundle.js'
import { type Output, processOutput, table } from '../output.js'
import { type MeasuredBundle, measureVariants } from './measure-variants.js'
import { stageBundle } from './staged-bundle.js'

export interface BenchVariantsOptions {
  readonly config?: string
  readonly set: ReadonlyMap<string, unknown>
  /** Labelled pictures for the accuracy, where model files are given instead of a bundle. */
  readonly golden?: string
  readonly root?: string
  readonly json?: boolean
}

/** Measures the bundle that `paths` are. Throws `bundle.*`, `model.*`, `variant.none_eligible`. */
export async function benchVariants(paths: readonly string[], options: BenchVariantsOptions): Promise<void> {
  const output = processOutput(options.json ?? false)
  const config = loadConfig({ file: options.config, env: process.env, overrides: options.set })
  const reading = { note: output.note }
  const wishes = options.golden === undefined ? {} : { golden: { path: options.golden, reading } }
  const bundle = await bundleFrom(paths, wishes, [], systemClock.wallMs())
  const inference = await chosenInference(config)
  const providers = await probeProviders(inference.providers, libraryOptionsOf(inference))
  const working = providers.filter(({ works }) => works).map(({ name }) => name)
  const runners = workingRunners(await probeRunners(config.inference.runners))
  const staged = await stageBundle(bundle)
  const progress = output.progress('measuring')
  try {
    const found = await measureVariants(bundle.manifest, staged.store, {
      config: { ...config, inference: { ...inference, providers: working } },
      clock: systemClock,
      runners,
      signal: new AbortController().signal,
      ...(options.root !== undefined && { hardwareRoot: options.root }),
      onProgress: (fraction, variant) => {
        progress.update(fraction, variant)
      },
    })
    progress.done()
    print(output, found)
  } finally {
    await staged.remove()
  }
}

function print(output: Output, found: MeasuredBundle): void {
  const { guessed, measured, failed, refused, choice } = found
  output.result({
    chosen: choice?.chosen.variant.id ?? null,
    why: choice?.why ?? null,
    guessed: guessed.map(({ id }) => id),
    measured: measured.map(({ variant, provider, latency, memoryBytes, accuracy }) => ({
      variant: variant.id,
      provider,
      latency_ms: { p50: latency.p50Ms, p95: latency.p95Ms },
      memory_bytes: memoryBytes,
      ...(accuracy !== undefined && { map: accuracy.map, images: accuracy.images }),
    })),
    not_chosen: [...(choice?.discarded ?? []), ...failed, ...refused],
  })
  for (const line of choiceLines(found)) output.line(line)
  if (choice !== undefined) return
  const reasons = [...failed, ...refused].map(({ variant, reason }) => `${variant}: ${reason}`).join('; ')
  throw new AgentError('variant.none_eligible', `no variant could be measured here: ${reasons}`)
}

/** The whole decision for people: what was measured in the order of the guess, the choice, and a reason for each other one. */
export function choiceLines({
  guessed,
  measured,
  failed,
  refused,
  choice,
}: MeasuredBundle): readonly string[] {
  const rows = measured.map((each) => [
    String(guessed.indexOf(each.variant) + 1),
    each.variant.id,
    each.provider,
    each.latency.p50Ms.toFixed(1),
    each.latency.p95Ms.toFixed(1),
    (each.memoryBytes / 1e6).toFixed(0),
    accuracyOf(each)?.toFixed(3) ?? 'unknown',
    each === choice?.chosen ? 'chosen' : '',
  ])
  const head = ['guess', 'variant', 'provider', 'p50 ms', 'p95 ms', 'MB', 'mAP', '']
  const others = [...(choice?.discarded ?? []), ...failed, ...refused]
  return [
    table([head, ...rows]),
    ...(choice === undefined ? [] : [`${choice.chosen.variant.id} because ${choice.why}`]),
    ...others.map(({ variant, reason }) => `not ${variant}: ${reason}`),
  ]
}
