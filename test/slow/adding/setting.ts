/** The setting `log.process`: whether each line of the log has the process id and the host name. */

import { type Addition, behind } from './addition.js'

export const setting: Addition = {
  heading: 'A setting',
  tests: ['test/config/load.test.ts', 'test/config/reference.test.ts'],
  places: [
    {
      path: 'src/config/schema.ts',
      notice: 'you begin here',
      change: [
        behind(
          "    level: setting('Smallest level that is logged.', oneOf('debug', 'info', 'warn', 'error'), 'info'),\n",
          "    process: setting('Write process id and host name into each line.', flag, false),\n",
        ),
      ],
    },
    {
      path: 'config/README.md',
      notice: '`test/config/reference.test.ts`',
      change: [
        behind(
          ' | `YOLO_EDGE_LOG_LEVEL` |\n',
          '| `log.process` | Write process id and host name into each line. | true or false | `false` | `YOLO_EDGE_LOG_PROCESS` |\n',
        ),
      ],
    },
    {
      path: 'src/cli/commands/run.ts',
      notice: 'nobody',
      change: [{ find: '    base: null,\n', put: '    ...(config.log.process ? {} : { base: null }),\n' }],
    },
    {
      path: 'test/config/load.test.ts',
      notice: 'nobody',
      change: [
        behind(
          '  t.equal(config.broker.protocolVersion, 5)\n',
          "  t.equal(config.log.process, false)\n  t.equal(loadConfig({ env: { YOLO_EDGE_LOG_PROCESS: 'true' } }).log.process, true)\n",
        ),
      ],
    },
  ],
}
