/** Prints the reference of all settings as Markdown. Invariant: config/README.md is exactly this text. */

import { environmentNameOf } from './load.js'
import { camerasSetting, type Setting, settings } from './schema.js'

export function configReference(): string {
  const sections = Object.entries(settings).map(([section, keys]) => {
    const rows = Object.entries(keys).map(([key, setting]) =>
      rowOf(`${section}.${key}`, setting as Setting<unknown>),
    )
    return [`## ${section}`, '', ...tableHead, ...rows].join('\n')
  })
  const cameras = ['## cameras', '', ...tableHead, rowOf('cameras', camerasSetting)].join('\n')
  return `${[intro, ...sections, cameras].join('\n\n')}\n`
}

const intro = [
  '# Settings',
  '',
  'Printed by `yolo-edge check-config --reference`; a test keeps this file equal to the schema.',
  'Later wins: default, file (`--config FILE`, YAML or JSON), environment, `--set section.key=value`.',
  '`yolo-edge check-config --config FILE` checks a file and prints what results.',
].join('\n')

const tableHead = [
  '| setting | meaning | expected | default | environment |',
  '| --- | --- | --- | --- | --- |',
]

function rowOf(path: string, setting: Setting<unknown>): string {
  const fallback = setting.sensitive === true ? '' : `\`${JSON.stringify(setting.fallback)}\``
  return `| \`${path}\` | ${setting.doc} | ${setting.format.name} | ${fallback} | \`${environmentNameOf(path)}\` |`
}
