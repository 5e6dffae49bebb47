/**
 * The execution providers that ONNX Runtime can be asked for, by its Node binding or by a library of its own, and what each needs to work.
 * Invariant: a provider is used only when a session really opened with it; being listed here promises nothing.
 */

import { AgentError } from '../base/errors.js'

interface ExecutionProviderRow {
  /** What has to be on the machine. */
  readonly needs: string
  /** Runs on something else than the CPU. */
  readonly isAccelerator: boolean
}

/** In order of preference where several work. */
export const executionProviders = {
  tensorrt: {
    needs:
      'an NVIDIA GPU, the GPU libraries of ONNX Runtime, TensorRT 10, and the CUDA and cuDNN that they were built with',
    isAccelerator: true,
  },
  cuda: {
    needs:
      'an NVIDIA GPU, the GPU libraries of ONNX Runtime, and the CUDA and cuDNN that they were built with',
    isAccelerator: true,
  },
  coreml: { needs: 'macOS on Apple silicon', isAccelerator: true },
  webgpu: { needs: 'a GPU with a Vulkan, Metal or Direct3D 12 driver', isAccelerator: true },
  xnnpack: { needs: 'an ONNX Runtime library that was built with XNNPACK', isAccelerator: true },
  qnn: { needs: 'a Qualcomm NPU and an ONNX Runtime library that was built with QNN', isAccelerator: true },
  openvino: { needs: 'an ONNX Runtime library that was built with OpenVINO', isAccelerator: true },
  cpu: { needs: 'nothing', isAccelerator: false },
} as const satisfies Readonly<Record<string, ExecutionProviderRow>>

export type ExecutionProvider = keyof typeof executionProviders

/** Narrows `name`. Throws `inference.provider_unavailable` for a name that is not in the table. */
export function executionProvider(name: string): ExecutionProvider {
  if (Object.hasOwn(executionProviders, name)) return name as ExecutionProvider
  throw new AgentError(
    'inference.provider_unavailable',
    `execution provider ${name} is not known, expected one of ${Object.keys(executionProviders).join(', ')}`,
  )
}

/** The error for a provider that does not work here; `reason` is what ONNX Runtime says. */
export function providerUnavailable(name: string, reason: string, cause?: unknown): AgentError {
  const needs = Object.hasOwn(executionProviders, name)
    ? `${name} needs ${executionProviders[name as ExecutionProvider].needs}`
    : `check the library that inference.provider_libraries names for ${name}`
  return new AgentError(
    'inference.provider_unavailable',
    `cannot run on execution provider ${name}: ${reason}`,
    {
      cause,
      hint: needs,
    },
  )
}
