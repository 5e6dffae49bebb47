#!/bin/sh
# sharp 0.35.5 (libvips 8.18.7, libheif): the colors of an AVIF whose chroma is stored at half size come out in blocks.
# AVIF and JPEG both keep the two color planes at half width and height by default. Of a JPEG the library blends them back to
# full size; of an AVIF it repeats each value for two by two pixels. Readers on libavif (OpenCV) blend both. Colors at the edge
# of an object then differ by up to 90 of 255 between two readers of the same file: a detector that is trained
# with one of them and runs behind the other sees other pixels, and nothing is told.
# Shown: of how many blocks of two by two pixels all four have the same color difference (blue less brightness, +-2).
# Output seen:
#   JPEG 4:2:0: 0 of 104 blocks at an edge have one color difference
#   AVIF 4:2:0: 104 of 104 blocks at an edge have one color difference
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund sharp@0.35.5 > /dev/null
cat > try.cjs << 'END'
const sharp = require('sharp')
const [width, height] = [48, 48]
// Blue bars of nine pixels on a yellow ground: edges lie inside blocks and between them, on every row.
const colors = Buffer.alloc(width * height * 3)
for (let at = 0; at < width * height; at++) {
  const isBlue = Math.floor((at % width) / 9) % 2 === 0
  colors.set(isBlue ? [40, 40, 220] : [200, 180, 40], 3 * at)
}
async function share(kind, bytes) {
  const pixels = await sharp(bytes).removeAlpha().raw().toBuffer()
  const difference = (x, y) => {
    const [red, green, blue] = pixels.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)
    return -0.168736 * red - 0.331264 * green + 0.5 * blue
  }
  let [single, all] = [0, 0]
  for (let y = 16; y < 32; y += 2) {
    for (let x = 0; x < width; x += 2) {
      // A block with a neighbor of another color: where blending shows.
      const around = [x - 1, x + 2].filter((each) => each >= 0 && each < width).map((each) => difference(each, y))
      if (!around.some((each) => Math.abs(each - difference(x, y)) > 20)) continue
      const values = [difference(x, y), difference(x + 1, y), difference(x, y + 1), difference(x + 1, y + 1)]
      all++
      if (Math.max(...values) - Math.min(...values) <= 2 * 2) single++
    }
  }
  console.log(`${kind} 4:2:0: ${single} of ${all} blocks at an edge have one color difference`)
  return single / all
}
async function main() {
  const picture = () => sharp(colors, { raw: { width, height, channels: 3 } })
  const jpeg = await share('JPEG', await picture().jpeg({ quality: 95, chromaSubsampling: '4:2:0' }).toBuffer())
  const avif = await share('AVIF', await picture().avif({ quality: 95, chromaSubsampling: '4:2:0' }).toBuffer())
  process.exitCode = avif > 0.95 && jpeg < 0.5 ? 0 : 1
}
main()
END
node try.cjs
