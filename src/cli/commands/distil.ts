/** `yolo-edge distil`: a small detector learns to say what a large one says; no labels are needed. */

import { Command } from 'commander'
import { readTeacher, refine, type RefineOptions, withRefineOptions } from '../training/refine-command.js'

interface Options extends RefineOptions {
  readonly teacher: string
}

export function distilCommand(): Command {
  const command = new Command('distil')
    .description(
      'Train a detector to say what its teacher says, on pictures without labels. An interrupted run goes on when started again.',
    )
    .argument('<model>', 'a YOLOv8 detector as .onnx, in float, usually pruned')
    .argument('<data>', 'a folder of pictures, or a data.yaml; labels do not count')
    .requiredOption('--teacher <model>', 'the detector to learn from, usually the one before pruning')
  return withRefineOptions(command, { epochs: 5, rate: 5e-4 }).action(distil)
}

async function distil(path: string, data: string, options: Options): Promise<void> {
  const teacher = await readTeacher(options.teacher, options.size)
  await refine(path, data, options, false, () =>
    Promise.resolve({ useLabels: false, teacher, deployed: (trained) => trained }),
  )
}
