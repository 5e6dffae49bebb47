/**
 * Opens an int8 model with operators of our own in place of stock ones. The file keeps its stock form: it is rewritten while it is
 * loaded, so one blob serves both, and what is rewritten is decided by this processor.
 * Invariant: whatever stands in the way, the answer is a sentence, and the caller opens the stock form.
 */

import { readFile } from 'node:fs/promises'
import { messageOf } from '../../../base/errors.js'
import { exportModel } from '../../../onnx/export-model.js'
import { importModel } from '../../../onnx/import-model.js'
import { operatorDomain } from '../../../onnx/opset.js'
import type { BackendSession } from '../../backend.js'
import type { ModelSource } from '../../messages.js'
import { providersOf, type SessionOptions } from '../../session-options.js'
import { openSessionIn } from '../native-session.js'
import { builtInLibrary } from '../built-in-library.js'
import { loadOrtApi } from '../ort-api.js'
import { fusedForm } from './fused-form.js'
import { loadOperatorLibrary, operatorLibraryPath } from './operator-library.js'
import { siluTables } from './silu-tables.js'

export interface FusedSession {
  readonly session: BackendSession
  readonly kernels: readonly string[]
}

/** Opens the fused form of `source`, or says why there is none. */
export async function openFusedSession(
  source: ModelSource,
  options: SessionOptions,
): Promise<FusedSession | string> {
  const [provider] = providersOf(options)
  if (provider !== 'cpu') return `the provider is ${provider}, fused operators are for cpu`
  try {
    const bytes = 'path' in source ? await readFile(source.path) : Buffer.from(source.bytes)
    const operators = await loadOperatorLibrary(
      options.operatorLibrary ?? operatorLibraryPath(),
      options.operatorFeatures,
    )
    if (typeof operators === 'string') return operators
    const graph = importModel(bytes)
    if (graph.opsets.has(operatorDomain))
      return `the file has operators of ${operatorDomain}, expected stock ones`
    const api = await loadOrtApi(options.library ?? builtInLibrary())
    const fused = await fusedForm(graph, {
      hasConvolution: operators.hasConvolution,
      tablesOf: (whole, silus) =>
        siluTables(whole, silus, (model) => openSessionIn(api, { bytes: model }, { intraOpThreads: 1 })),
    })
    if (fused === graph) return 'the model has nothing to fuse'
    const session = openSessionIn(api, { bytes: exportModel(fused) }, options, operators.path)
    return { session, kernels: operators.kernels }
  } catch (thrown) {
    return messageOf(thrown)
  }
}
