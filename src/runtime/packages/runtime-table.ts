/**
 * Published packages that hold execution providers: which file of which version, and what in it is loaded.
 * Invariant: a package is unpacked only when its bytes have the digest of this table.
 * They are wheels of the Python package index, which are zip files; nothing of Python is run. A library of ONNX Runtime replaces
 * the built-in one; a plugin is loaded into it.
 */

import { AgentError } from '../../base/errors.js'

/** A runtime that can be added. */
export interface RuntimePackage {
  /** What a person calls it. */
  readonly name: string
  /** Its execution provider, as the settings name it. */
  readonly provider: string
  /** Of Node.js: `x64`, `arm64`. */
  readonly arch: string
  /** Name and version in the package index. */
  readonly package: string
  readonly version: string
  /** The name of the file, which says what machine and which interpreter it is meant for. */
  readonly file: string
  readonly sha256: string
  readonly bytes: number
  /** The library within the package: one of ONNX Runtime, or a plugin. */
  readonly library: string
  readonly isPlugin: boolean
  /** Options of the provider by which it computes in float32 where it would rather not. */
  readonly float32: Readonly<Record<string, string>>
  /** What has to be on the machine. */
  readonly needs: string
}

const nvidia = 'an NVIDIA GPU with its driver'

export const runtimePackages: readonly RuntimePackage[] = [
  {
    name: 'openvino',
    provider: 'openvino',
    arch: 'x64',
    package: 'onnxruntime-openvino',
    version: '1.24.1',
    file: 'onnxruntime_openvino-1.24.1-cp312-cp312-manylinux_2_28_x86_64.whl',
    sha256: 'd617fac2f59a6ab5ea59a788c3e1592240a129642519aaeaa774761dfe35150e',
    bytes: 84_433_207,
    library: 'onnxruntime/capi/libonnxruntime.so.1.24.1',
    isPlugin: false,
    // Where the processor has bfloat16, it would be taken.
    float32: { load_config: '{"CPU":{"INFERENCE_PRECISION_HINT":"f32"}}' },
    needs: 'an x86-64 processor',
  },
  {
    name: 'cuda',
    provider: 'cuda',
    arch: 'x64',
    package: 'onnxruntime-gpu',
    version: '1.31.1',
    file: 'onnxruntime_gpu-1.31.1-cp312-cp312-manylinux_2_28_x86_64.whl',
    sha256: '05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7',
    bytes: 255_569_273,
    library: 'onnxruntime/capi/libonnxruntime.so.1.31.1',
    isPlugin: false,
    // Convolutions would be computed with 10 bits of fraction.
    float32: { use_tf32: '0' },
    needs: `${nvidia}, and the CUDA and cuDNN that it was built with`,
  },
  {
    name: 'tensorrt-rtx',
    provider: 'nvtensorrtrtx',
    arch: 'x64',
    package: 'onnxruntime-ep-nv-tensorrt-rtx-cu12',
    version: '0.5.0',
    file: 'onnxruntime_ep_nv_tensorrt_rtx_cu12-0.5.0-py3-none-manylinux_2_28_x86_64.whl',
    sha256: 'd71fcbaf4adc627d82fffa6bbac9300a4bfc58fbfa604929b601d22211083d47',
    bytes: 170_534_401,
    library: 'onnxruntime_ep_nv_tensorrt_rtx/libonnxruntime_providers_nv_tensorrt_rtx.so',
    isPlugin: true,
    float32: {},
    needs: `${nvidia} of the RTX line`,
  },
  {
    name: 'webgpu',
    provider: 'webgpu',
    arch: 'x64',
    package: 'onnxruntime-ep-webgpu',
    version: '0.4.0',
    file: 'onnxruntime_ep_webgpu-0.4.0-py3-none-manylinux_2_28_x86_64.whl',
    sha256: '5d8c961eda91a88961cad1fb7621f389f006b18497d6ea9ecf96f729f066cbfb',
    bytes: 6_892_120,
    library: 'onnxruntime_ep_webgpu/libonnxruntime_providers_webgpu.so',
    isPlugin: true,
    float32: {},
    needs: 'a GPU with a Vulkan driver',
  },
  {
    name: 'webgpu',
    provider: 'webgpu',
    arch: 'arm64',
    package: 'onnxruntime-ep-webgpu',
    version: '0.4.0',
    file: 'onnxruntime_ep_webgpu-0.4.0-py3-none-manylinux_2_28_aarch64.whl',
    sha256: '17f660db53b1a509c63e721ac6784a2daa1c4e91a968523ee9986505ee5b0a55',
    bytes: 6_096_222,
    library: 'onnxruntime_ep_webgpu/libonnxruntime_providers_webgpu.so',
    isPlugin: true,
    float32: {},
    needs: 'a GPU with a Vulkan driver',
  },
  {
    name: 'qnn',
    provider: 'qnn',
    arch: 'arm64',
    package: 'onnxruntime-qnn',
    version: '2.7.0',
    file: 'onnxruntime_qnn-2.7.0-cp312-cp312-manylinux_2_34_aarch64.whl',
    sha256: '40f6f8ab76a877b36c875122caf46189f810e52a1e7c2f75e431dfb7714168b8',
    bytes: 88_834_007,
    library: 'onnxruntime_qnn/libonnxruntime_providers_qnn.so',
    isPlugin: true,
    float32: {},
    needs: 'a Qualcomm processor with a Hexagon NPU and its driver',
  },
]

/** The row of `name` for processors of `arch`. Throws `cli.argument_invalid`. */
export function runtimePackage(
  name: string,
  arch: string,
  rows: readonly RuntimePackage[] = runtimePackages,
): RuntimePackage {
  const found = rows.find((row) => row.name === name && row.arch === arch)
  if (found !== undefined) return found
  const here = rows.filter((row) => row.arch === arch).map((row) => row.name)
  throw new AgentError(
    'cli.argument_invalid',
    `runtime ${name} is not published for ${arch}, expected one of ${here.join(', ')}`,
  )
}
