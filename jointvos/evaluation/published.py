"""What JOINT and its peers are published to reach, to be printed beside a run on the whole split.

Figures are percentages as their sources print them; seconds and frames per second are of the
sources' own machines.
"""

from collections.abc import Mapping
from dataclasses import dataclass

PAPER = "JOINT paper, ICCV 2021"
STCN = "hkchengrex/STCN, README"
XMEM = "XMem, docs/RESULTS.md"
AOT = "aot-benchmark, MODEL_ZOO.md"
CFBI = "z-x-yang/CFBI, README"
EDGETAM = "EdgeTAM, README"
SAM2 = "sam2 and SeC, README"
SEC = "SeC, README"


@dataclass(frozen=True)
class Published:
    """One row of a paper's table.

    Attributes:
        method: Its name there.
        overall: J&F of DAVIS, G of YouTube-VOS.
        parts: J and F of DAVIS; J and F seen, J and F unseen of YouTube-VOS; () if not printed.
        speed: How fast, where it is said together with the machine or the table.
        source: Where it is printed.
    """

    method: str
    overall: float
    parts: tuple[float, ...] = ()
    speed: str = ""
    source: str = PAPER


@dataclass(frozen=True)
class Benchmark:
    """A split on which figures are published.

    Attributes:
        dataset: Name of the data set, as in `VOSDataset`.
        split: Its split.
        sequences: How many it has; a folder with another number is not this benchmark.
        rows: What is published, JOINT first.
    """

    dataset: str
    split: str
    sequences: int
    rows: tuple[Published, ...]


BENCHMARKS: Mapping[str, Benchmark] = {
    "davis2016": Benchmark(
        "DAVIS 2016",
        "val",
        20,
        (
            Published("STCN", 91.7, (), "26.9 frames/s", STCN),
            Published("XMem", 91.5, (), "29.6 frames/s", XMEM),
        ),
    ),
    "davis2017": Benchmark(
        "DAVIS 2017",
        "val",
        30,
        (
            Published("JOINT", 83.5, (80.8, 86.2), "0.25 s/frame"),
            Published("JOINT, trained on DAVIS only", 78.6),
            Published("FRTM", 76.7),
            Published("LWL", 81.6, (), "0.15 s/frame"),
            Published("STM", 81.8, (), "0.32 s/frame"),
            Published("CFBI", 81.9, (), "0.17 s/frame"),
            Published("KMN", 82.8, (), "0.24 s/frame"),
            Published("CFBI-MS", 83.3, (), "9 s/frame"),
            Published("CFBI+", 83.0, (), "5.52 frames/s (V100)", CFBI),
            Published("R50-AOT-L", 85.2, (), "18.0 frames/s (V100)", AOT),
            Published("STCN", 85.3, (), "20.2 frames/s (2080 Ti)", STCN),
            Published("XMem", 86.2, (), "22.6 frames/s (V100)", XMEM),
            Published("Cutie-base (MOSE)", 87.9, (), "36.4 frames/s (V100)", EDGETAM),
            Published("SAM 2.1-B+", 90.2, (), "64.1 frames/s (A100, compiled)", SAM2),
            Published("SeC", 91.3, (), "", SEC),
        ),
    ),
    "davis2017-test-dev": Benchmark(
        "DAVIS 2017",
        "test-dev",
        30,
        (
            Published("R50-AOT-L", 79.5, (), "18.0 frames/s (V100)", AOT),
            Published("STCN", 79.9, (), "", STCN),
            Published("XMem", 81.0, (), "", XMEM),
            Published("SwinB-AOT-L", 82.1, (), "12.1 frames/s (V100)", AOT),
        ),
    ),
    "ytvos2018": Benchmark(
        "YouTube-VOS 2018",
        "valid",
        474,
        (
            Published("JOINT", 83.1, (81.5, 85.9, 78.7, 86.5)),
            Published("STM", 79.4),
            Published("KMN", 81.4),
            Published("CFBI", 81.4),
            Published("LWL", 81.5),
            Published("CFBI-MS", 82.7),
            Published("STCN", 84.3, (), "", STCN),
            Published("R50-AOT-L, listed frames", 84.6, (), "", AOT),
            Published("R50-AOT-L, all frames", 85.5, (), "", AOT),
            Published("XMem", 85.7, (), "", XMEM),
            Published("R50-DeAOT-L", 86.0, (), "", AOT),
        ),
    ),
    "ytvos2019": Benchmark(
        "YouTube-VOS 2019",
        "valid",
        507,
        (
            Published("JOINT", 82.8, (80.8, 84.8, 79.0, 86.6)),
            Published("STM", 79.2),
            Published("CFBI", 81.0),
            Published("LWL", 81.0),
            Published("CFBI-MS", 82.4),
            Published("STCN", 84.2, (), "", STCN),
            Published("R50-AOT-L, listed frames", 84.4, (), "", AOT),
            Published("R50-AOT-L, all frames", 85.3, (), "", AOT),
            Published("DEVA", 85.4, (), "", EDGETAM),
            Published("XMem", 85.5, (), "", XMEM),
            Published("R50-DeAOT-L", 85.9, (), "", AOT),
            Published("Cutie-base (MOSE)", 87.0, (), "", EDGETAM),
            Published("SAM 2.1-B+", 88.6, (), "", SAM2),
        ),
    ),
}
