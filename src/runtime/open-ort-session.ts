/**
 * Opens an ONNX Runtime session and says in one sentence why it cannot.
 * Invariant: no error of ONNX Runtime leaves this folder as it is; used in the worker thread only.
 */

import './telemetry-off.js'
import { access, constants } from 'node:fs/promises'
import { env, InferenceSession, listSupportedBackends } from 'onnxruntime-node'
import { AgentError, messageOf } from '../base/errors.js'
import { executionProvider, executionProviders, providerUnavailable } from './execution-providers.js'
import type { BackendSession } from './backend.js'
import type { ModelSource } from './messages.js'
import { providersOf, type SessionOptions, toOrtOptions } from './session-options.js'
import { elementTypeOf, type TensorInfo } from './tensor.js'

const LONGEST_REASON = 300

/** ONNX Runtime's message without its source positions, on one line, not longer than a person reads. */
export function reasonOf(thrown: unknown): string {
  const text = messageOf(thrown)
    .replaceAll(/\/onnxruntime_src\/\S+:\d+ /g, '')
    .replace(/[.\s]+$/, '')
  return text.length <= LONGEST_REASON ? text : `${text.slice(0, LONGEST_REASON)}...`
}

/**
 * Opens `source`. Throws `model.file_unreadable`, `inference.load_failed` (the model is at fault) or
 * `inference.provider_unavailable` (the model would load without that provider).
 */
export async function openOrtSession(source: ModelSource, options: SessionOptions): Promise<BackendSession> {
  const session = await open(source, options)
  return {
    inputs: tensorInfosOf(session.inputMetadata),
    outputs: tensorInfosOf(session.outputMetadata),
    takesSharedMemory: false,
    run: (feeds, fetches) => session.run(feeds, fetches),
    release: () => session.release(),
  }
}

async function open(source: ModelSource, options: SessionOptions): Promise<InferenceSession> {
  env.logLevel = 'fatal'
  const providers = providersOf(options).map(executionProvider)
  const compiledIn = new Set<string>(listSupportedBackends().map((backend) => backend.name))
  for (const provider of providers) {
    if (!compiledIn.has(provider)) {
      throw providerUnavailable(provider, `this build of ONNX Runtime has only ${[...compiledIn].join(', ')}`)
    }
  }
  if ('path' in source) await requireReadable(source.path)
  try {
    return await create(source, options, providers)
  } catch (thrown) {
    const accelerator = providers.find((provider) => executionProviders[provider].isAccelerator)
    if (accelerator !== undefined && (await loadsOnCpu(source, options))) {
      throw providerUnavailable(accelerator, reasonOf(thrown), thrown)
    }
    const name = 'path' in source ? source.path : `of ${source.bytes.byteLength} bytes`
    throw new AgentError('inference.load_failed', `cannot load model ${name}: ${reasonOf(thrown)}`, {
      cause: thrown,
    })
  }
}

function create(
  source: ModelSource,
  options: SessionOptions,
  providers: readonly string[],
): Promise<InferenceSession> {
  const ortOptions = toOrtOptions(options, providers)
  return 'path' in source
    ? InferenceSession.create(source.path, ortOptions)
    : InferenceSession.create(source.bytes, ortOptions)
}

/** Tells a provider's fault from the model's: ONNX Runtime reports both the same way. */
async function loadsOnCpu(source: ModelSource, options: SessionOptions): Promise<boolean> {
  const bare: SessionOptions = { graphOptimization: 'disabled', lowMemory: options.lowMemory === true }
  try {
    const session = await create(source, bare, ['cpu'])
    await session.release()
    return true
  } catch {
    // The caller reports the first failure.
    return false
  }
}

async function requireReadable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK)
  } catch (thrown) {
    throw new AgentError('model.file_unreadable', `cannot read model ${path}: ${messageOf(thrown)}`, {
      cause: thrown,
    })
  }
}

/** Names, element types and shapes of a session's inputs or outputs. Throws `inference.load_failed` for other values than tensors. */
function tensorInfosOf(metadata: readonly InferenceSession.ValueMetadata[]): readonly TensorInfo[] {
  return metadata.map((value) => {
    if (!value.isTensor) {
      throw new AgentError('inference.load_failed', `the model has ${value.name}, which is not a tensor`)
    }
    return { name: value.name, type: elementTypeOf(value.type, value.name), shape: value.shape }
  })
}
