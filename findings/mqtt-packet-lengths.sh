#!/bin/sh
# mqtt-packet 9.0.2 (the codec of mqtt 5.16.0): a client that sends messages of many lengths grows by 8 kB a length.
# The encoding of each packet length below 16,384 is kept for ever, which looks like two bytes each. They are cut from the
# block of 8 kB that Buffer shares out, and whatever else used that block is long gone: in a process that also does other work
# every length keeps a block of its own. Writing every length once, one after another, keeps the same cache in a few blocks.
# The client's `writeCache: false` is about another cache (numbers of two bytes, 65,536 buffers) and changes nothing here.
# Output seen:
#   4000 lengths between other work: 32 MB kept
#   the same after every length was written once: 0 MB kept
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts mqtt-packet@9.0.2 > /dev/null
cat > try.cjs << 'END'
const packet = require('mqtt-packet')
packet.writeToStream.cacheNumbers = false
const sink = { write: () => true }
const body = Buffer.alloc(16384)
const send = (length) =>
  packet.writeToStream({ cmd: 'publish', topic: 'a', payload: body.subarray(0, length), qos: 0, retain: false, dup: false }, sink)
const kept = () => {
  global.gc()
  return process.memoryUsage().arrayBuffers
}
if (process.argv[2] === 'filled') for (let length = 0; length <= 16380; length++) send(length)
const before = kept()
for (let index = 0; index < 4000; index++) {
  for (let piece = 0; piece < 12; piece++) Buffer.from('y'.repeat(900))
  send(1000 + 3 * index)
}
console.log(`${Math.round((kept() - before) / 8192000) * 8} MB kept`)
END
{
  printf '4000 lengths between other work: '
  node --expose-gc try.cjs
  printf 'the same after every length was written once: '
  node --expose-gc try.cjs filled
} > seen.txt
cat seen.txt
cat > expected.txt << 'END'
4000 lengths between other work: 32 MB kept
the same after every length was written once: 0 MB kept
END
diff expected.txt seen.txt
