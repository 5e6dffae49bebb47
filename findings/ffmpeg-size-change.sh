#!/bin/sh
# ffmpeg 5.1.9 (Debian 12): where a video changes its picture size, the frames after it come out squeezed into the first size.
# Cameras do this at dusk (another profile at night), and recordings that were joined. ffmpeg builds its filters anew for the new size and
# appends a scaler to what the encoder was opened with, here raw frames on a pipe: no error, no warning, exit status 0, and every
# frame has the bytes of the first size. A program that reads the pipe cannot tell; whatever it finds has the wrong place and shape.
# Shown: a circle in a square picture, then the same circle in a picture half as high; its width and height in the raw frames.
# Output seen:
#   exit status 0, words on stderr: 0, frames 10 of 120x120
#   circle in frame 1: 61 wide, 61 high
#   circle in frame 10: 61 wide, 120 high
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
circle='geq=lum=if(lte(hypot(X-W/2\,Y-H/2)\,30)\,235\,16):cb=128:cr=128'
for size in 120x120 120x60; do
  ffmpeg -v error -f lavfi -i "color=black:size=$size:rate=5:duration=1,$circle" -c:v mpeg2video -q:v 2 -f mpegts "$size.ts"
done
cat 120x120.ts 120x60.ts > joined.ts
status=0
ffmpeg -v warning -i joined.ts -an -f rawvideo -pix_fmt gray frames 2> words || status=$?
cat > try.py << 'END'
import sys

side, data, words = 120, open("frames", "rb").read(), open("words").read().split()
count = len(data) // side**2
print(f"exit status {sys.argv[1]}, words on stderr: {len(words)}, frames {count} of {side}x{side}")
shapes = []
for frame in (0, count - 1):
    bright = [at for at, level in enumerate(data[frame * side**2 : (frame + 1) * side**2]) if level > 125]
    columns, rows = [at % side for at in bright], [at // side for at in bright]
    shapes.append((max(columns) - min(columns) + 1, max(rows) - min(rows) + 1))
    print(f"circle in frame {frame + 1}: {shapes[-1][0]} wide, {shapes[-1][1]} high")
(width, height), (later_width, later_height) = shapes
squeezed = abs(width - height) <= 2 and later_height > 1.5 * later_width
sys.exit(0 if squeezed and len(data) % side**2 == 0 and sys.argv[1] == "0" and not words else 1)
END
python3 try.py "$status"
