#!/bin/sh
# What a GPU makes of a session: the same labels as the CPU's, how fast, and where time goes.
#
#     sh tests/inference/gpu_check.sh             under three minutes, no network
#     DEVICE=cpu FRAMES=4 sh tests/inference/gpu_check.sh     a rehearsal without a GPU
#
# PYTHON is the interpreter of an environment in which jointvos is installed, or run this in the
# folder of the sources with the packages that it needs.
set -eu
cd "$(dirname "$0")/../.."
export PYTHONPATH="$PWD"
device=${DEVICE:-cuda} frames=${FRAMES:-144} python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

segment() {
    "$python" -m jointvos segment examples/crossing.mp4 --mask examples/crossing_first.png \
        --end "$frames" --quiet "$@"
}

printf '== start-up: seconds of each part, in one process\n'
"$python" - "$device" <<'END'
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

printf '== the example clip, %s frames: seconds of the whole command, file to file\n' "$frames"
for kind in "$device fp32" "$device bf16"; do
    set -- $kind
    begin=$(date +%s.%N)
    segment --device "$1" --precision "$2" --png "$work/$1-$2" --overlay "$work/$1-$2.mp4"
    printf '%s %s: %s\n' "$1" "$2" "$(date +%s.%N | awk -v begin="$begin" '{ print $1 - begin }')"
done
if test "$device" != cpu; then
    segment --device cpu --png "$work/cpu-fp32"
fi

printf '== pixels with the label of the CPU (expected in fp32: 0.999 or more)\n'
"$python" - "$work" "$device" <<'END'
import sys
from pathlib import Path

import cv2
import numpy as np

work, device = Path(sys.argv[1]), sys.argv[2]
for kind in ("fp32", "bf16"):
    shares = [
        np.mean(cv2.imread(str(path), 0) == cv2.imread(str(work / f"{device}-{kind}" / path.name), 0))
        for path in sorted((work / "cpu-fp32").glob("*.png"))
    ]
    print(f"{kind}: mean {np.mean(shares):.5f}, worst frame {min(shares):.5f}")
END

printf '== frames without files\n'
for precision in fp32 bf16; do
    "$python" -m jointvos bench --device "$device" --precision "$precision" --quiet \
        --model joint-lite --objects 1,5 --memory 5 ${SIZE:+--size "$SIZE"}
done
if test "$device" != cpu; then
    "$python" -m jointvos bench --device "$device" --quiet --model joint-r50 --objects 1,5 --memory 20
fi

printf '== a trace of a few frames, bytes\n'
segment --device "$device" --png "$work/traced" --profile "$work/trace.json"
wc -c < "$work/trace.json"
