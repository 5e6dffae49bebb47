/** `yolo-edge finetune`: goes on training a detector on labelled pictures; after pruning, or for a new place. */

import { Command } from 'commander'
import { readTeacher, refine, type RefineOptions, withRefineOptions } from '../training/refine-command.js'

interface Options extends RefineOptions {
  readonly teacher?: string
}

export function finetuneCommand(): Command {
  const command = new Command('finetune')
    .description(
      'Go on training a detector on labelled pictures. Zeros of sparse weights stay; an interrupted run goes on when started again.',
    )
    .argument('<model>', 'a YOLOv8 detector as .onnx, in float; a pruned one will do')
    .argument('<data>', 'a data.yaml, or a folder of pictures and labels')
    .option('--teacher <model>', 'learn from this detector as well, usually the one before pruning')
  return withRefineOptions(command, { epochs: 5, rate: 5e-4 }).action(finetune)
}

async function finetune(path: string, data: string, options: Options): Promise<void> {
  const teacher = options.teacher === undefined ? undefined : await readTeacher(options.teacher, options.size)
  await refine(path, data, options, true, () =>
    Promise.resolve({
      useLabels: true,
      ...(teacher !== undefined && { teacher }),
      deployed: (trained) => trained,
    }),
  )
}
