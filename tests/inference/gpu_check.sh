#!/bin/sh
# What a GPU makes of a session: how fast it is, where time goes, and the same labels as the CPU's.
#
#     sh tests/inference/gpu_check.sh             under three minutes, no network
#     DEVICE=cpu FRAMES=4 LONG=8 SIZE=320x180 sh tests/inference/gpu_check.sh     a rehearsal
#
# FRAMES of the example clip are compared with the CPU's, a clip of LONG frames is timed. PYTHON is
# the interpreter of an environment in which jointvos is installed, or run this in the folder of the
# sources with the packages that it needs. What fails is named, and the rest goes on.
set -u
cd "$(dirname "$0")/../.."
export PYTHONPATH="$PWD"
device=${DEVICE:-cuda} frames=${FRAMES:-144} long=${LONG:-600} python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
failed=0

tried() {
    name=$1
    shift
    "$@" || { failed=1 && printf 'FAILED: %s\n' "$name"; }
}

example() {
    "$python" -m jointvos segment examples/crossing.mp4 --mask examples/crossing_first.png \
        --end "$frames" --quiet "$@"
}

# The last line of a run: frames/s without the start, and what limited it.
timed() {
    "$python" -m jointvos segment "$work/long.mkv" --mask "$work/five.png" --device "$device" \
        --overlay "$work/timed.mp4" -f "$@" 2> "$work/said" || { cat "$work/said" && return 1; }
    printf '%s: %s\n' "${*:-all objects}" "$(sed -n 's/^wrote [^:]*: //p' "$work/said")"
}

printf '== start-up: seconds of each part, in one process\n'
tried start-up "$python" - "$device" <<'END'
import sys
from time import perf_counter

last = perf_counter()


def took(what):
    global last
    now = perf_counter()
    print(f"{what}: {now - last:.2f}")
    last = now


import torch

took("import torch")
import numpy as np

from jointvos.checkpoints import find_weights, load_model
from jointvos.inference import VideoSegmenter

took("import jointvos")
torch.ones(1, device=sys.argv[1]).sum().item()
took("first kernel on the device")
net = load_model(find_weights(None))
took("load the model")
session = VideoSegmenter(net, device=sys.argv[1])
took("model on the device")
image = np.zeros((480, 854, 3), np.uint8)
mask = np.zeros((480, 854), np.uint8)
mask[200:300, 300:400] = 1
for number in range(1, 7):
    session.step(image, mask if number == 1 else None)
    took(f"frame {number}")
END

printf '== a clip of %s frames, file to file with an overlay\n' "$long"
tried 'making the clip' "$python" - "$work" "$long" <<'END'
import sys
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np
from PIL import Image

work, count = Path(sys.argv[1]), int(sys.argv[2])
with av.open("examples/crossing.mp4") as clip:
    images = [image.reformat(format="yuv420p") for image in clip.decode(video=0)]
with av.open(str(work / "long.mkv"), "w") as video:
    stream = video.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = images[0].width, images[0].height, "yuv420p"
    for number, image in enumerate(islice(cycle(images + images[-2:0:-1]), count)):
        image.pts, image.time_base = number, Fraction(1, 25)
        video.mux(stream.encode(image))
    video.mux(stream.encode(None))

mask = Image.open("examples/crossing_first.png")
labels = np.array(mask)
for number in (3, 4, 5):  # of nothing in particular
    labels[20:100, 200 * number - 400 : 200 * number - 280] = number
five = Image.fromarray(labels)
five.putpalette(mask.getpalette())
five.save(work / "five.png")
END
tried 'one object' timed --objects 1
tried 'five objects' timed
if test "$device" != cpu; then
    tried 'NVDEC' timed --objects 1 --hwaccel "$device"
fi

printf '== reading it: frames/s, and images that differ from the first way\n'
tried reading "$python" - "$work/long.mkv" "$device" <<'END'
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

from jointvos.media.reading import VideoReader

path, device = Path(sys.argv[1]), sys.argv[2]
first = []
for hwaccel in (None, None, device):
    if hwaccel == "cpu":
        continue
    with VideoReader(path, hwaccel=hwaccel) as video:
        begin = perf_counter()
        images = [frame.image for frame in video]
        rate = len(images) / (perf_counter() - begin)
    first = first or images
    other = sum(not np.array_equal(*pair) for pair in zip(first, images, strict=True))
    print(f"{hwaccel or 'cpu'}: {rate:.0f} frames/s, {other} differ")
END

printf '== pixels with the label of the CPU (expected in fp32: 0.999 or more)\n'
for precision in fp32 bf16; do
    tried "$precision" example --device "$device" --precision "$precision" --png "$work/$precision"
done
tried 'the CPU' example --device cpu --png "$work/cpu"
tried 'the comparison' "$python" - "$work" <<'END'
import sys
from pathlib import Path

import cv2
import numpy as np

work = Path(sys.argv[1])
for precision in ("fp32", "bf16"):
    shares = [
        np.mean(cv2.imread(str(path), 0) == cv2.imread(str(work / precision / path.name), 0))
        for path in sorted((work / "cpu").glob("*.png"))
    ]
    print(f"{precision}: mean {np.mean(shares):.5f}, worst frame {min(shares):.5f}")
END

printf '== frames without files\n'
for precision in fp32 bf16; do
    tried "$precision" "$python" -m jointvos bench --device "$device" --precision "$precision" \
        --quiet --model joint-lite --objects 1,5 --memory 5 ${SIZE:+--size "$SIZE"}
done
if test "$device" != cpu; then
    tried joint-r50 "$python" -m jointvos bench --device "$device" --quiet --model joint-r50 \
        --objects 1,5 --memory 20
fi

printf '== a trace of a few frames, bytes\n'
tried 'the trace' example --device "$device" --png "$work/traced" --profile "$work/trace.json"
tried 'its size' wc -c "$work/trace.json"
exit "$failed"
