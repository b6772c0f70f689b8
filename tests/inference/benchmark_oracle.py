"""Time the straightforward implementation and the session in one run; prints the ratio.

    python tests/inference/benchmark_oracle.py --model joint-r50 --memory 20 --objects 1,2

Both hold `memory` copies of the first template, then follow synthetic frames: some that store no
template, one that does. The mean is over an update cycle. On a shared machine use --cpu.
"""

import argparse
from copy import deepcopy
from dataclasses import replace
from functools import partial
from statistics import median
from time import perf_counter, process_time

import torch
from oracle import Oracle

from jointvos.config import INFERENCE, MODELS
from jointvos.evaluation import benchmark
from jointvos.inference import VideoSegmenter
from jointvos.model import JointNet


def fill(oracle: Oracle, count: int) -> None:
    for one in oracle.objects.values():
        one.maps = [deepcopy(one.maps[0]) for _ in range(count)]
        one.masks = [deepcopy(one.masks[0]) for _ in range(count)]
        one.weights = torch.full((count,), 1 / count)
        one.newest = count - 1


def seconds(step, frames, repeats: int, read) -> float:
    times = []
    for _ in range(repeats):
        frame = next(frames)
        begin = read()
        step(frame)
        times.append(read() - begin)
    return median(times)


def compare(cell: benchmark.Cell, interval: int, repeats: int, read) -> tuple[float, ...]:
    """Seconds of a plain and of an update frame: of the oracle, then of the session."""
    torch.manual_seed(0)
    net = JointNet(MODELS[cell.model]).requires_grad_(False)
    config = replace(
        INFERENCE["paper"], crop_size=cell.crop, memory_size=cell.memory, template_interval=2**30
    )
    frames = benchmark._frames(cell)
    measured = []
    session, oracle = VideoSegmenter(net, config, device="cpu"), Oracle(net, config)
    first, mask = next(frames), benchmark._squares(cell)
    oracle.step(first, mask)
    oracle.step(next(frames))
    fill(oracle, cell.memory)
    measured.append(seconds(oracle.step, frames, 1, read))
    for one in oracle.objects.values():
        one.config = replace(config, template_interval=1)
    measured.append(seconds(oracle.step, frames, 1, read))
    del oracle
    session.step(first, mask)
    session.step(next(frames))
    session.fill_memory()
    for template in (False, True):
        step = partial(session.step, template=template)
        step(next(frames))
        measured.append(seconds(step, frames, repeats, read))
    return tuple(measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="joint-r50", choices=sorted(MODELS))
    parser.add_argument("--objects", default="1,2")
    parser.add_argument("--memory", type=int, default=20)
    parser.add_argument("--interval", type=int, default=5, help="T of the update cycle")
    parser.add_argument("--crop", default="832x480")
    parser.add_argument("--repeats", type=int, default=3, help="of the session's frames")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds instead of wall seconds")
    given = parser.parse_args()
    width, height = map(int, given.crop.split("x"))
    read = process_time if given.cpu else perf_counter
    print("objects  oracle: plain, update, mean  session: plain, update, mean   ratio")
    for objects in map(int, given.objects.split(",")):
        cell = benchmark.Cell(given.model, objects, given.memory, crop=(height, width))
        plain, update, our_plain, our_update = compare(cell, given.interval, given.repeats, read)
        mean, our_mean = (
            (p * (given.interval - 1) + u) / given.interval
            for p, u in ((plain, update), (our_plain, our_update))
        )
        print(
            f"{objects:7d} {plain:14.2f} {update:7.2f} {mean:6.2f} {our_plain:15.2f} "
            f"{our_update:7.2f} {our_mean:6.2f} {mean / our_mean:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
