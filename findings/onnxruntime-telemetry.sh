#!/bin/sh
# onnxruntime-node 1.30.0 on Linux x86-64: opening a session switches telemetry on, without being asked and without a word.
# The first session of a process writes a device id and an SQLite database below $HOME/.cache/Microsoft, makes an empty
# /tmp/mat-debug-PID.log for that process, and starts a thread more; the library holds the address of a collector. 1.29.0 does the
# same, 1.27.0 nothing of it. A service without a writable home folder, or one whose owner must say what a device sends,
# should know. ORT_DISABLE_TELEMETRY=1 in the environment of the process, before the first session, leaves nothing behind.
# (A worker thread's own process.env is a copy that the library does not see.)
# Output seen:
#   as it comes: log in /tmp true, files in the home folder: deviceid, onnxruntime.db
#   ORT_DISABLE_TELEMETRY=1: log in /tmp false, files in the home folder: none
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts onnxruntime-node@1.30.0 > /dev/null
cat > try.cjs << 'END'
const { existsSync, readdirSync, rmSync } = require('node:fs')
const { InferenceSession } = require('onnxruntime-node')
// A model of one node, y = Relu(x), x and y float[1], operator set 17: the fields of ModelProto by hand.
const field = (number, bytes) => Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes])
const whole = (number, value) => Buffer.from([number * 8, value])
const text = (number, value) => field(number, Buffer.from(value))
const dimension = field(1, whole(1, 1))
const type = field(2, field(1, Buffer.concat([whole(1, 1), field(2, dimension)])))
const value = (name) => Buffer.concat([text(1, name), type])
const node = Buffer.concat([text(1, 'x'), text(2, 'y'), text(4, 'Relu')])
const graph = Buffer.concat([field(1, node), text(2, 'g'), field(11, value('x')), field(12, value('y'))])
const model = Buffer.concat([whole(1, 8), field(7, graph), field(8, whole(2, 17))])
async function main() {
  await InferenceSession.create(model)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const log = `/tmp/mat-debug-${process.pid}.log`
  const names = readdirSync(process.env.HOME, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/-(wal|shm|journal)$/.test(entry.name))
    .map((entry) => entry.name)
    .sort()
  const isThere = existsSync(log)
  rmSync(log, { force: true })
  console.log(`log in /tmp ${isThere}, files in the home folder: ${names.join(', ') || 'none'}`)
}
main()
END
trial() {
  mkdir -p "$folder/home"
  HOME="$folder/home" node try.cjs
  rm -rf "$folder/home"
}
{
  printf 'as it comes: '
  unset ORT_DISABLE_TELEMETRY
  trial
  printf 'ORT_DISABLE_TELEMETRY=1: '
  ORT_DISABLE_TELEMETRY=1
  export ORT_DISABLE_TELEMETRY
  trial
} > seen.txt
cat seen.txt
cat > expected.txt << 'END'
as it comes: log in /tmp true, files in the home folder: deviceid, onnxruntime.db
ORT_DISABLE_TELEMETRY=1: log in /tmp false, files in the home folder: none
END
diff expected.txt seen.txt
