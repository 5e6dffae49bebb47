/** `yolo-edge generate`: a labelled data set that needs no camera: parts on a conveyor, drawn. */

import { Command } from 'commander'
import { integerOption } from '../options.js'
import { processOutput } from '../output.js'
import { writeConveyor } from '../training/write-conveyor.js'

interface Options {
  readonly train: number
  readonly val: number
  readonly golden: number
  readonly size: number
  readonly seed: number
  readonly json?: boolean
}

const picturesMax = 300_000

export function generateCommand(): Command {
  const count = (name: string): ((text: string) => number) => integerOption(name, 1, picturesMax)
  return new Command('generate')
    .description('Draw a labelled data set: bolts, nuts, washers, gears, springs and bearings on a conveyor.')
    .argument('<folder>', 'where to write it; must not exist')
    .option('--train <count>', 'pictures to learn from', count('train'), 2000)
    .option('--val <count>', 'pictures to measure with', count('val'), 300)
    .option('--golden <count>', 'pictures that go out with a model', count('golden'), 24)
    .option('--size <pixels>', 'side of the pictures', integerOption('size', 64, 2048), 320)
    .option('--seed <number>', 'another seed, other pictures', integerOption('seed', 0, 2 ** 20), 1)
    .option('--json', 'print JSON')
    .action(generate)
}

async function generate(folder: string, options: Options): Promise<void> {
  const output = processOutput(options.json ?? false)
  const { train, val, golden, size, seed } = options
  const progress = output.progress('drawing')
  await writeConveyor(folder, { counts: { train, val, golden }, size, seed }, (done, total) => {
    progress.update(done / total, `${done} of ${total} pictures`)
  })
  progress.done()
  output.result({ folder, train, val, golden, size, seed })
  output.line(`${folder}/data.yaml: ${train} pictures to train, ${val} to measure, ${golden} golden`)
}
