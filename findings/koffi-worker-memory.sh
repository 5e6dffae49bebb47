#!/bin/sh
# koffi 3.3.4: what a worker thread has described to koffi stays in memory when the thread ends.
# One would expect that a module which belongs to a thread goes with it. Each worker that describes 300 function types leaves some
# 400 kB behind; koffi.reset() before the end takes most of that back, but not all. A program that starts a thread for each piece of
# work grows without end, and heap snapshots show nothing; threads that are kept and used again do not.
# Output seen (kB left behind by each of 160 threads):
#   nothing loaded: below 50
#   300 types described: above 250
#   the same, then koffi.reset(): below 150
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund koffi@3.3.4 > /dev/null
cat > worker.cjs << 'END'
const { workerData } = require('node:worker_threads')
if (workerData !== 'nothing') {
  const koffi = require('koffi')
  for (let index = 0; index < 300; index++) koffi.proto('void *', ['void *', 'void *'])
  if (workerData === 'reset') koffi.reset()
}
END
cat > try.cjs << 'END'
const { Worker } = require('node:worker_threads')
const { once } = require('node:events')
const mode = process.argv[2]
const turns = async (count) => {
  for (let index = 0; index < count; index++) await once(new Worker('./worker.cjs', { workerData: mode }), 'exit')
  global.gc()
  return process.memoryUsage.rss() / 1000
}
const main = async () => {
  const before = await turns(40)
  const left = ((await turns(160)) - before) / 160
  console.error(`${mode}: ${left.toFixed(0)} kB a thread`)
  const limits = { nothing: [-100, 50], types: [250, 2000], reset: [-100, 150] }
  const [low, high] = limits[mode]
  const texts = { nothing: 'nothing loaded: below 50', types: '300 types described: above 250', reset: 'the same, then koffi.reset(): below 150' }
  console.log(left > low && left < high ? texts[mode] : `${mode}: ${left}`)
}
void main()
END
for mode in nothing types reset; do node --expose-gc try.cjs $mode; done > seen.txt
cat seen.txt
cat > expected.txt << 'END'
nothing loaded: below 50
300 types described: above 250
the same, then koffi.reset(): below 150
END
diff expected.txt seen.txt
