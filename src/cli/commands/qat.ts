/** `yolo-edge qat`: trains a detector with the rounding of its int8 form, and writes that form. */

import { Command } from 'commander'
import { int8Target, int8Targets } from '../../compress/quantization/targets.js'
import { choiceOption, integerOption } from '../options.js'
import { readTeacher, refine, type RefineOptions, withRefineOptions } from '../training/refine-command.js'
import { roundedNetwork } from '../training/rounded-network.js'

const targetNames = Object.keys(int8Targets) as readonly (keyof typeof int8Targets)[]

interface Options extends RefineOptions {
  readonly target: keyof typeof int8Targets
  readonly bits?: number
  readonly images: number
  readonly teacher?: string
}

export function qatCommand(): Command {
  const command = new Command('qat')
    .description(
      'Train a detector with the rounding that its int8 form has (quantisation-aware training), and write that form.',
    )
    .argument('<model>', 'a YOLOv8 detector as .onnx, in float')
    .argument('<data>', 'a data.yaml, or a folder of pictures and labels')
    .option(
      '--target <name>',
      `the hardware of the int8 model: ${targetNames.join(', ')}`,
      choiceOption('target', targetNames),
      'x64-vnni',
    )
    .option('--bits <count>', 'bits of a weight (default: 8, or 7 for x64)', integerOption('bits', 2, 8))
    .option('--images <count>', 'pictures to calibrate with', integerOption('images', 8, 4096), 128)
    .option('--teacher <model>', 'the float detector to learn from as well (default: the model itself)')
  return withRefineOptions(command, { epochs: 3, rate: 2e-4 }).action(qat)
}

async function qat(path: string, data: string, options: Options): Promise<void> {
  const teacher = await readTeacher(options.teacher ?? path, options.size)
  const target = int8Target(options.target)
  await refine(path, data, options, true, async ({ network, samples, runner }) => {
    const rounded = await roundedNetwork(network, samples.slice(0, options.images), runner, {
      target,
      method: 'silu',
      weightBits: options.bits ?? target.weightBits,
    })
    return {
      useLabels: true,
      teacher,
      simulated: { graph: rounded.graph, see: rounded.see },
      deployed: (trained) => rounded.quantized(trained),
    }
  })
}
