"""Memory that a training step frees: the next one gets it without the system's help."""

from pathlib import Path

import pytest
import torch
from command import CONTEXT

from jointvos.training.trainer import keep_freed_memory

STEPS = 3


def faults_of_steps() -> int:
    """Page faults of a few steps, after as many to get into the way of it."""
    import resource

    def step() -> None:
        kept = [torch.ones(size) for size in (1_000_000, 9_000_000, 5_000_000)]
        del kept

    for _ in range(STEPS):
        step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(STEPS):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def _count(out: Path) -> None:
    unasked = faults_of_steps()
    if keep_freed_memory():
        out.write_text(f"{unasked} {faults_of_steps()}")


def test_memory_is_kept_between_steps(tmp_path: Path) -> None:
    process = CONTEXT.Process(target=_count, args=(tmp_path / "faults",))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    if not (tmp_path / "faults").exists():
        pytest.skip("the C library of this system cannot")
    unasked, kept = map(int, (tmp_path / "faults").read_text().split())
    assert unasked > 15_000  # 3 x 57 MiB in pages of 4 KiB would be 43,000
    assert kept < unasked / 5
