/** The command `yolo-edge codes`: the table of error codes. */

import { type Addition, behind } from './addition.js'

export const command: Addition = {
  heading: 'A command',
  tests: ['test/cli/commands/codes.test.ts', 'test/shape/documents.test.ts'],
  places: [
    {
      path: 'src/cli/commands/codes.ts',
      notice: 'you begin here',
      change: `/** \`yolo-edge codes\`: the codes of errors. Invariant: says what base/errors says. */

import { Command } from 'commander'
import { errorTable } from '../../base/errors.js'
import { processOutput } from '../output.js'

export function codesCommand(): Command {
  return new Command('codes')
    .description('List the codes of errors, and the exit status of each.')
    .option('--json', 'print JSON')
    .action(codes)
}

function codes(options: { readonly json?: boolean }): void {
  const output = processOutput(options.json ?? false)
  output.result(errorTable)
  for (const [code, { exit }] of Object.entries(errorTable)) output.line(\`\${exit}  \${code}\`)
}
`,
    },
    {
      path: 'src/cli/program.ts',
      notice: '`test/cli/commands/codes.test.ts`',
      change: [
        behind(
          "import { checkConfigCommand } from './commands/check-config.js'\n",
          "import { codesCommand } from './commands/codes.js'\n",
        ),
        behind('    checkConfigCommand(),\n', '    codesCommand(),\n'),
      ],
    },
    {
      path: 'README.md',
      notice: '`test/shape/documents.test.ts`',
      change: [
        {
          find: '| `doctor` ',
          put: '| `codes` | lists the codes of errors |\n| `doctor` ',
        },
      ],
    },
    {
      path: 'test/cli/commands/every-command.test.ts',
      notice: '`test/cli/commands/every-command.test.ts`',
      change: [behind("  bench: 'e2e/main-path.test.ts',\n", "  codes: 'cli/commands/codes.test.ts',\n")],
    },
    {
      path: 'test/cli/commands/codes.test.ts',
      notice: 'nobody',
      change: `import t from 'tap'
import { runCommand } from '../../helpers/processes.js'

t.test('every code has its exit status', async (t) => {
  const { status, stdout, stderr } = await runCommand(t, ['codes'])
  t.equal(status, 0, stderr)
  t.match(stdout, /^5 {2}resource\\.disk_full$/m)
})
`,
    },
  ],
}
