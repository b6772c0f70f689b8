"""Memory that a training step frees: the next one gets it without the system's help."""

import subprocess
import sys

import pytest

STEPS = """
import resource, sys
import torch
from jointvos.training.trainer import keep_freed_memory

if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit(3)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    for size in (3_000_000, 16_000_000, 5_000_000):
        kept = [torch.ones(size) for _ in range(2)]

for _ in range(5):
    step()
before = faults()
for _ in range(5):
    step()
print(faults() - before)
"""


def faults_of_further_steps(how: str) -> int:
    """Page faults of five steps, after five to get into the way of it."""
    ended = subprocess.run(
        [sys.executable, "-c", STEPS, how],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": "/usr/bin:/bin"},
        check=False,
    )
    if ended.returncode == 3:
        pytest.skip("the C library of this system cannot")
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


def test_memory_is_kept_between_steps() -> None:
    unasked, kept = faults_of_further_steps("leave"), faults_of_further_steps("keep")
    assert unasked > 100_000  # 5 x 183 MiB in pages of 4 KiB would be 234,000
    assert kept < unasked / 5
