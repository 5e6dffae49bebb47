/** Which int8 layout this machine computes best. Invariant: only layouts that this machine computes without saturation. */

import { AgentError } from '../../base/errors.js'
import { type Int8TargetName, int8Targets } from '../../compress/quantization/targets.js'
import { detectHardware } from '../../hardware/detect-hardware.js'

/** The best of the int8 layouts for this machine. Throws `cli.argument_invalid` where none is known. */
export async function machineTarget(): Promise<Int8TargetName> {
  const { arch, int8Targets: known } = await detectHardware()
  const best = known.find((name): name is Int8TargetName => Object.hasOwn(int8Targets, name))
  if (best !== undefined) return best
  throw new AgentError(
    'cli.argument_invalid',
    `the int8 layout for a processor of architecture ${arch} is not known, expected --target`,
  )
}
