"""Reads damaged videos one after the other: fuzz_worker.py FOLDER SEED FIRST LAST.

Says "<case> begins" and "<case> <kind> <video> <frames> <outcome>" on stdout, which tells the case
that killed it or never ended, and at the end "peak <MiB>" (Linux).
"""

import re
import resource
import sys
from pathlib import Path

import numpy as np

from jointvos.errors import MediaError
from jointvos.media.reading import open_source

MEMORY = 4 << 30


def damaged(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """A video that is cut off, or has wrong bits."""
    if rng.random() < 0.4:
        return "cut", data[: int(rng.integers(len(data)))]
    wrong = bytearray(data)
    # Headers are small, so most of the damage would miss them.
    end = min(len(data), 2000) if rng.random() < 0.4 else len(data)
    for place in rng.integers(end, size=int(rng.integers(1, 41))):
        wrong[place] ^= 1 << int(rng.integers(8))
    return "flipped", bytes(wrong)


def main() -> None:
    folder, (seed, first, last) = Path(sys.argv[1]), map(int, sys.argv[2:])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    videos = sorted(folder.iterdir())
    for case in range(first, last):
        rng = np.random.default_rng([seed, case])
        video = videos[int(rng.integers(len(videos)))]
        kind, data = damaged(video.read_bytes(), rng)
        path = Path.cwd() / f"case{video.suffix}"
        path.write_bytes(data)
        print(case, "begins", flush=True)
        frames, outcome = 0, "complete"
        try:
            with open_source(path) as source:
                for _ in source:
                    frames += 1
        except MediaError as error:
            outcome = type(error).__name__
        print(case, kind, video.name, frames, outcome, flush=True)
    # Not getrusage: its peak begins with that of the process that forked.
    status = Path("/proc/self/status").read_text()
    print("peak", int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024, flush=True)


if __name__ == "__main__":
    main()
