/** All commands of the program. Invariant: building them reads nothing and starts nothing, so that a test can walk them. */

import { Command } from 'commander'
import { benchCommand } from './commands/bench.js'
import { brokerCommand } from './commands/broker.js'
import { checkConfigCommand } from './commands/check-config.js'
import { compareCommand } from './commands/compare.js'
import { compressCommand } from './commands/compress.js'
import { dashboardCommand } from './commands/dashboard.js'
import { demoCommand } from './commands/demo.js'
import { deploymentsCommand } from './commands/deployments.js'
import { detectCommand } from './commands/detect.js'
import { distilCommand } from './commands/distil.js'
import { doctorCommand } from './commands/doctor.js'
import { finetuneCommand } from './commands/finetune.js'
import { generateCommand } from './commands/generate.js'
import { inspectCommand } from './commands/inspect.js'
import { keyCommand } from './commands/key.js'
import { keygenCommand } from './commands/keygen.js'
import { protocolCommand } from './commands/protocol.js'
import { publishCommand } from './commands/publish.js'
import { qatCommand } from './commands/qat.js'
import { rollbackCommand } from './commands/rollback.js'
import { rolloutCommand } from './commands/rollout.js'
import { runCommand } from './commands/run.js'
import { searchCommand } from './commands/search.js'
import { runtimeCommand } from './commands/runtime.js'
import { setupCommand } from './commands/setup.js'
import { simulateCommand } from './commands/simulate.js'
import { trainCommand } from './commands/train.js'
import { valCommand } from './commands/val.js'
import { variantsCommand } from './commands/variants.js'
import { whyCommand } from './commands/why.js'
import { packageVersion } from './package-version.js'

const epilogue = `
Start here:
  yolo-edge demo                                the whole loop on this machine
  yolo-edge detect PICTURE --model MODEL.onnx   one picture, a folder, or a video
  yolo-edge inspect MODEL.onnx                  what a model is and costs
  yolo-edge val MODEL.onnx --data DIR           how accurate it is
  yolo-edge compare A.onnx B.onnx --val DIR     two models side by side, class by class
  yolo-edge search MODEL.onnx --budget 'ms<=20' --calib DIR --val DIR --out BUNDLE
                                                the best variants within a budget
  yolo-edge train DATA --out MODEL.onnx         a model of your own
  yolo-edge distil PRUNED.onnx PICTURES --teacher MODEL.onnx --out SMALL.onnx
                                                a pruned model learns from the one it was made of
  yolo-edge bench MODEL.onnx OTHER.onnx         how fast it is here
  yolo-edge keygen fleet                        the keys that sign models
  yolo-edge publish MODEL.onnx --sign fleet.key a model to every device of a channel
  yolo-edge rollout start MODEL VERSION --percent 5 --sign fleet.key
                                                a version to a few devices first
  yolo-edge rollback DEVICE --sign fleet.key    a device back to the version before
  yolo-edge dashboard --broker ws://broker:9001 the fleet in a browser
  yolo-edge setup                               a new device: asks what it needs, tries it, starts it
  yolo-edge run --config device.yaml            the agent of a device
  yolo-edge why DEVICE                          why a device serves the variant it serves
  yolo-edge doctor                              what this device can do, and what is wrong with it

Exit status: 0 done, 2 usage or settings, 3 bad input, 4 not trusted, 5 disk or files or tools, 6 network,
7 camera, 8 inference, 70 a fault of the program itself.`

/** The whole command line, ready to parse. A wrong command line throws commander's `CommanderError` or `cli.argument_invalid`. */
export function program(): Command {
  const root = new Command('yolo-edge')
    .description(
      'Compresses YOLOv8 detectors, delivers them over MQTT, and runs the variant that fits each device.',
    )
    .version(packageVersion())
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText('after', epilogue)
  const commands = [
    demoCommand(),
    dashboardCommand(),
    detectCommand(),
    inspectCommand(),
    compressCommand(),
    searchCommand(),
    valCommand(),
    compareCommand(),
    generateCommand(),
    trainCommand(),
    finetuneCommand(),
    distilCommand(),
    qatCommand(),
    benchCommand(),
    publishCommand(),
    rolloutCommand(),
    rollbackCommand(),
    deploymentsCommand(),
    brokerCommand(),
    simulateCommand(),
    setupCommand(),
    runtimeCommand(),
    runCommand(),
    keygenCommand(),
    keyCommand(),
    checkConfigCommand(),
    protocolCommand(),
    doctorCommand(),
    whyCommand(),
    variantsCommand(),
  ]
  for (const command of commands) {
    root.addCommand(command.exitOverride())
    for (const nested of command.commands) nested.exitOverride()
  }
  return root
}
