/**
 * How a session is opened, in our words, and the translation to ONNX Runtime's.
 * Invariant: every field has a default that is right for a device that also has other work to do.
 */

import { availableParallelism } from 'node:os'
import type { InferenceSession } from 'onnxruntime-node'
import { executionProvider } from './execution-providers.js'

/** Low enough that network and camera work goes first, high enough to get the cores when nobody else wants them. */
export const defaultNiceness = 5
export const defaultWarmUpRuns = 2

/** Plain data: it crosses into the worker thread as it is. */
export interface SessionOptions {
  /**
   * Execution providers, the preferred first; nodes that one does not take go to the next, and to `cpu` at last.
   * Each has to work: there is no silent fallback. Default: `['cpu']`.
   */
  readonly providers?: readonly string[]
  /**
   * A shared library of ONNX Runtime to use instead of the one that came with this program; absolute path.
   * It brings its own execution providers.
   */
  readonly library?: string
  /** Options of execution providers by name, as strings: `{ tensorrt: { trt_fp16_enable: '1' } }`. Only with `library`. */
  readonly providerOptions?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Libraries of providers that are plugins, by the provider's name. Only with `library`. */
  readonly providerLibraries?: Readonly<Record<string, string>>
  /** A folder of this model's own in which its providers keep the engines that they build. Only with `library`. */
  readonly engineFolder?: string
  /**
   * `fused`: an int8 model on `cpu` runs with operators of our own where their library loads, with the same results; `stock`: it runs as
   * it is in its file. Default: `fused`.
   */
  readonly operators?: 'fused' | 'stock'
  /** The library of fused operators in place of the one that came with this program; absolute path. */
  readonly operatorLibrary?: string
  /** Features of the processor that fused operators may use, a mask of kernels.h: tests compare kernels with it. Default: all. */
  readonly operatorFeatures?: number
  /** Threads that compute one operator together. Default: every core. */
  readonly intraOpThreads?: number
  /**
   * Threads that wait for work spin instead of sleeping. On an idle machine a frame is 5 to 10 % faster; beside other
   * busy processes it takes several times as long, because the spinning thread keeps its partner from its core.
   * test/bench/event-loop measures both. Default: false.
   */
  readonly allowSpinning?: boolean
  /** How far ONNX Runtime rewrites the graph. Default: `all`. */
  readonly graphOptimization?: 'disabled' | 'basic' | 'extended' | 'layout' | 'all'
  /** Gives memory back after each run instead of keeping it for the next: smaller, a little slower. Default: false. */
  readonly lowMemory?: boolean
  /**
   * Scheduling priority of the worker and of its threads, 0 (as the process) to 19 (last); Linux only. Where the kernel
   * groups sessions (sched_autogroup_enabled), it counts among the threads of one service only. Default: 5.
   */
  readonly niceness?: number
  /** Runs before the session counts as open; only where the input has a fixed size. Default: 2. */
  readonly warmUpRuns?: number
  /** Where ONNX Runtime writes the graph it really runs. */
  readonly optimizedModelPath?: string
  /** Writes a profile (Chrome trace) whose file name starts with this, when the session closes. */
  readonly profilePrefix?: string
  /** Session configuration entries, such as `session.set_denormal_as_zero` to `1`. */
  readonly extra?: Readonly<Record<string, string>>
}

/**
 * The providers of `options` in order, with `cpu` last: rows of the table, or names of `providerLibraries`.
 * Throws `inference.provider_unavailable` for an unknown name.
 */
export function providersOf(options: SessionOptions): readonly string[] {
  const { providers = ['cpu'], library, providerLibraries = {} } = options
  const isPlugin = (name: string): boolean => library !== undefined && Object.hasOwn(providerLibraries, name)
  const wanted = providers.map((name) => (isPlugin(name) ? name : executionProvider(name)))
  return [...new Set([...wanted, 'cpu'])]
}

/** ONNX Runtime's options for `options`, on `providers`. */
export function toOrtOptions(
  options: SessionOptions,
  providers: readonly string[],
): InferenceSession.SessionOptions {
  const keepsMemory = options.lowMemory !== true
  return {
    executionProviders: providers,
    intraOpNumThreads: options.intraOpThreads ?? availableParallelism(),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: options.graphOptimization ?? 'all',
    enableCpuMemArena: keepsMemory,
    enableMemPattern: keepsMemory,
    // Errors are thrown as well: printing them a second time helps nobody.
    logSeverityLevel: 4,
    extra: {
      'session.intra_op.allow_spinning': options.allowSpinning === true ? '1' : '0',
      ...options.extra,
    },
    ...(options.optimizedModelPath !== undefined && { optimizedModelFilePath: options.optimizedModelPath }),
    ...(options.profilePrefix !== undefined && {
      enableProfiling: true,
      profileFilePrefix: options.profilePrefix,
    }),
  }
}
