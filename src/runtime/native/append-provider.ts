/**
 * Execution providers by their names in the C API, with all their options as strings.
 * Invariant: a provider that the library was not built with is refused with the list of those that it has.
 */

import { type ExecutionProvider, providerUnavailable } from '../execution-providers.js'
import { CStrings, type OrtApi, type Pointer } from './ort-api.js'

/** How the library lists a provider, and what its generic append function calls it; CUDA and TensorRT have their own. */
const nativeNames: Readonly<
  Record<ExecutionProvider, { readonly listed: string; readonly generic?: string }>
> = {
  tensorrt: { listed: 'TensorrtExecutionProvider' },
  cuda: { listed: 'CUDAExecutionProvider' },
  coreml: { listed: 'CoreMLExecutionProvider', generic: 'CoreML' },
  webgpu: { listed: 'WebGpuExecutionProvider', generic: 'WebGPU' },
  xnnpack: { listed: 'XnnpackExecutionProvider', generic: 'XNNPACK' },
  qnn: { listed: 'QNNExecutionProvider', generic: 'QNN' },
  openvino: { listed: 'OpenVINOExecutionProvider', generic: 'OpenVINO' },
  cpu: { listed: 'CPUExecutionProvider' },
}

/** Adds `provider` to `settings`. Throws `inference.provider_unavailable`, or what the library says. */
export function appendProvider(
  api: OrtApi,
  settings: Pointer,
  provider: ExecutionProvider,
  options: Readonly<Record<string, string>>,
): void {
  const { listed, generic } = nativeNames[provider]
  if (!api.providers.includes(listed)) {
    const reason = `ONNX Runtime ${api.version} has only ${api.providers.join(', ')}`
    throw providerUnavailable(provider, reason)
  }
  const keys = new CStrings(Object.keys(options))
  const values = new CStrings(Object.values(options))
  const count = keys.pointers.length
  if (provider === 'tensorrt' || provider === 'cuda') {
    const [prefix, object] =
      provider === 'cuda' ? (['Cuda', 'cudaOptions'] as const) : (['TensorRt', 'tensorRtOptions'] as const)
    const own = api.create(`${prefix}CreateOptions`)
    try {
      if (count > 0) api.call(`${prefix}UpdateOptions`, own, keys.pointers, values.pointers, count)
      api.call(`${prefix}Append`, settings, own)
    } finally {
      api.release(object, own)
    }
    return
  }
  // The CPU is always there and has no options.
  if (generic === undefined) return
  api.call('AppendExecutionProvider', settings, generic, keys.pointers, values.pointers, count)
}
