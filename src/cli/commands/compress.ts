/** `yolo-edge compress`: makes a smaller, faster model of a YOLOv8 export. */

import { Command } from 'commander'
import { AgentError } from '../../base/errors.js'
import { calibrationMethods } from '../../compress/quantization/calibration/range-methods.js'
import { requireFloat } from '../../compress/quantization/quantize.js'
import { int8Target, int8Targets } from '../../compress/quantization/targets.js'
import type { CalibrationImages } from '../../compress/ports.js'
import { openCalibrationFolder } from '../compress/calibration-folder.js'
import { compressModel, requireFreeFolder } from '../compress/compress-model.js'
import { graphRunner } from '../compress/graph-runner.js'
import { int8Step } from '../compress/int8-step.js'
import type { CompressStep } from '../compress/step.js'
import { readDetectorFile } from '../model-file.js'
import { choiceOption, integerOption } from '../options.js'
import { type Output, processOutput } from '../output.js'

const targetNames = Object.keys(int8Targets) as readonly (keyof typeof int8Targets)[]

interface Options {
  readonly out: string
  readonly int8?: boolean
  readonly target: keyof typeof int8Targets
  readonly calib?: string
  readonly images: number
  readonly method: (typeof calibrationMethods)[number]
  readonly bits?: number
  readonly biasCorrection: boolean
  readonly seed: number
  readonly json?: boolean
}

export function compressCommand(): Command {
  return new Command('compress')
    .description('Make a smaller, faster model of a YOLOv8 export: bytes in, raw heads out, int8 inside.')
    .argument('<model>', 'a YOLOv8 detector as .onnx, in float')
    .requiredOption('-o, --out <folder>', 'a new folder for the model and its report.json')
    .option('--int8', 'compute on 8-bit integers; needs --calib')
    .option(
      '--target <name>',
      `the hardware of the int8 model: ${targetNames.join(', ')}`,
      choiceOption('target', targetNames),
      'x64-vnni',
    )
    .option('--calib <folder>', 'pictures like those the model will see; labels are not needed')
    .option('--images <count>', 'pictures taken from it at most', integerOption('images', 8, 4096), 128)
    .option(
      '--method <name>',
      `how ranges are chosen: ${calibrationMethods.join(', ')}`,
      choiceOption('method', calibrationMethods),
      'silu',
    )
    .option('--bits <count>', 'bits of a weight (default: 8, or 7 for x64)', integerOption('bits', 2, 8))
    .option('--no-bias-correction', 'leave the biases as they are')
    .option('--seed <number>', 'the start of every choice by chance', integerOption('seed', 0, 2 ** 31), 0)
    .option('--json', 'print the report as JSON')
    .action(compress)
}

async function compress(path: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  await requireFreeFolder(options.out)
  const { bytes, graph } = await readDetectorFile(path)
  requireFloat(graph)
  const steps = stepsOf(options)
  const images = await calibrationImages(options, output)
  const context = { runner: graphRunner(), images, seed: options.seed }
  const request = { modelPath: path, bytes, graph, steps, context, outFolder: options.out }
  const { path: written, report } = await compressModel(request, output)
  output.result({ path: written, ...report })
  const { source, model } = report
  output.line(
    `${written}: ${mega(model.size_bytes)} MB, ${((100 * model.size_bytes) / source.size_bytes).toFixed(0)} % of the source`,
  )
}

function stepsOf(options: Options): readonly CompressStep[] {
  const { target, method, bits, biasCorrection } = options
  if (options.int8 !== true) return []
  return [
    int8Step({
      target: int8Target(target),
      method,
      biasCorrection,
      ...(bits === undefined ? {} : { weightBits: bits }),
    }),
  ]
}

async function calibrationImages(options: Options, output: Output): Promise<CalibrationImages> {
  if (options.calib === undefined) {
    if (options.int8 !== true) return { count: 0, read: () => Promise.reject(withoutPictures()) }
    throw withoutPictures()
  }
  const folder = await openCalibrationFolder(options.calib, options.images)
  for (const message of folder.leftOut) output.note(`left out: ${message}`)
  return folder
}

function withoutPictures(): AgentError {
  return new AgentError('cli.argument_invalid', '--int8 needs --calib with a folder of pictures', {
    hint: 'a hundred pictures from the cameras where the model will work are enough; no labels are needed',
  })
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(2)
}
