#!/bin/sh
# sharp 0.35.5 (libvips 8.18.7): `failOn: 'truncated'` does not notice a cut-off TIFF of plain rows.
# The name of the option promises that a file whose end is missing is an error, and for JPEG it is. An uncompressed TIFF
# of one strip, of which 60 % are there, is read without an error as a black picture; only `failOn: 'error'` refuses it.
# Output seen:
#   whole tiff: read, 0 % of its bytes black
#   jpeg truncated: refused
#   tiff truncated: read, 100 % of its bytes black
#   tiff error: refused
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund sharp@0.35.5 > /dev/null
cat > try.cjs << 'END'
const { writeFileSync, readFileSync } = require('node:fs')
const sharp = require('sharp')
const size = { width: 40, height: 24, channels: 3 }
async function outcome(bytes, failOn) {
  try {
    const pixels = await sharp(bytes, { failOn }).raw().toBuffer()
    const black = pixels.filter((byte) => byte === 0).length
    return `read, ${Math.round((100 * black) / pixels.length)} % of its bytes black`
  } catch {
    return 'refused'
  }
}
async function main() {
  const grey = sharp({ create: { ...size, background: '#777' } })
  const jpeg = await grey.clone().jpeg().toBuffer()
  // libvips writes the directory last; this one, as many tools do, has it first and the rows behind it.
  const tags = [[256, 4, 1, 40], [257, 4, 1, 24], [258, 3, 3, 134], [259, 3, 1, 1], [262, 3, 1, 2], [273, 4, 1, 140],
    [277, 3, 1, 3], [278, 4, 1, 24], [279, 4, 1, 2880], [284, 3, 1, 1]]
  const head = Buffer.alloc(140)
  head.write('II*\0', 0, 'latin1')
  head.writeUInt32LE(8, 4)
  head.writeUInt16LE(tags.length, 8)
  tags.forEach(([tag, type, count, value], index) => {
    head.writeUInt16LE(tag, 10 + 12 * index)
    head.writeUInt16LE(type, 12 + 12 * index)
    head.writeUInt32LE(count, 14 + 12 * index)
    head.writeUInt32LE(value, 18 + 12 * index)
  })
  for (const at of [134, 136, 138]) head.writeUInt16LE(8, at)
  const tiff = Buffer.concat([head, Buffer.alloc(2880, 0x77)])
  const part = (bytes) => bytes.subarray(0, Math.floor(bytes.length * 0.6))
  const seen = [
    `whole tiff: ${await outcome(tiff, 'truncated')}`,
    `jpeg truncated: ${await outcome(part(jpeg), 'truncated')}`,
    `tiff truncated: ${await outcome(part(tiff), 'truncated')}`,
    `tiff error: ${await outcome(part(tiff), 'error')}`,
  ].join('\n')
  console.log(seen)
  process.exitCode = /whole tiff: read, 0 %[^]*jpeg truncated: refused\ntiff truncated: read, [1-9][^]*\ntiff error: refused/.test(seen) ? 0 : 1
}
main()
END
node try.cjs
