import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import Clip, make

from jointvos.frame_range import FrameRange
from jointvos.media.reading import VideoReader
from jointvos.media.writing import AlphaVideoSink, MaskVideoSink, OverlaySink
from jointvos.types import FrameResult

SAID = [(0.5, 0.5, b"Hello"), (1.0, 0.75, b"you"), (1.9, 0.3, b"Bye")]
CHAPTERS = [(0.0, 1.0, "One"), (1.0, 1.6, "Two"), (1.6, 2.5, "Three")]
MILLI = Fraction(1, 1000)


@pytest.fixture(params=["mkv", "mp4"])
def film(request, tmp_path: Path) -> Path:
    """Two seconds and a half with sound, subtitles in two languages, chapters, tags, a font."""
    return with_other_streams(tmp_path, request.param)


def with_other_streams(folder: Path, kind: str) -> Path:
    plain = make(folder, Clip(name=f"plain.{kind}", frames=60, sound_s=2.5))
    matroska = kind == "mkv"
    path = folder / f"video.{kind}"
    with av.open(str(plain)) as given, av.open(str(path), "w") as output:
        output.metadata.update(
            {"title": "Red and blue", "artist": "somebody", "creation_time": "2020-01-02T03:04:05Z"}
        )
        copies = {s.index: output.add_stream_from_template(s) for s in given.streams}
        copies[1].metadata["language"] = "fra"
        texts = []
        for language in ("deu", "eng"):
            text = output.add_mux_stream("subrip" if matroska else "mov_text")
            text.time_base, text.metadata["language"] = MILLI, language
            texts.append(text)
        output.set_chapters(
            [
                {
                    "id": i,
                    "start": round(1000 * first),
                    "end": round(1000 * last),
                    "time_base": MILLI,
                    "metadata": {"title": title},
                }
                for i, (first, last, title) in enumerate(CHAPTERS, start=1)
            ]
        )
        if matroska:
            output.add_attachment("letters.ttf", "application/x-truetype-font", b"no real font")
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                output.mux(packet)
        for text in texts:
            for first, lasts, what in SAID:
                coded = what if matroska else len(what).to_bytes(2, "big") + what
                packet = av.Packet(coded)
                packet.stream, packet.time_base = text, MILLI
                packet.pts = packet.dts = round(1000 * first)
                packet.duration = round(1000 * lasts)
                output.mux(packet)
    return path


def copy(path: Path, make_sink, start: str | None = None, end: str | None = None) -> Path:
    with VideoReader(path, FrameRange.parse(start, end)) as source:
        sink = make_sink(source.info)
        for frame in source:
            shape = frame.image.shape[:2]
            soft = np.stack([np.full(shape, p, np.float32) for p in (0.2, 0.8)])
            sink.write(frame, FrameResult(frame.index, np.ones(shape, np.uint8), (), soft))
        sink.close()
        sink.commit()
    return sink.path


def said(container, stream) -> list[tuple[float, float, bytes]]:
    """Times, durations and texts of a stream of subtitles."""
    skip = 2 if stream.codec.canonical_name == "mov_text" else 0
    container.seek(0)
    return [
        (float(p.pts * p.time_base), float(p.duration * p.time_base), bytes(p)[skip:])
        for p in container.demux(stream)
        if p.size > skip
    ]


def chapters(container) -> list[tuple[float, float, str]]:
    return [
        (
            float(c["start"] * c["time_base"]),
            float(c["end"] * c["time_base"]),
            c["metadata"]["title"],
        )
        for c in container.chapters()
    ]


def near(rows, tolerance=0.002):
    return [
        tuple(pytest.approx(v, abs=tolerance) if isinstance(v, float) else v for v in row)
        for row in rows
    ]


def test_all_of_it_is_copied(film, tmp_path):
    path = copy(film, lambda info: OverlaySink(tmp_path / f"out{film.suffix}", info))
    with av.open(str(path)) as container:
        kept = {k.lower(): v for k, v in container.metadata.items()}
        assert (kept["title"], kept["artist"]) == ("Red and blue", "somebody")
        assert kept["creation_time"].startswith("2020-01-02T03:04:05")
        assert chapters(container) == near(CHAPTERS)
        assert container.streams.audio[0].metadata["language"] == "fra"
        texts = container.streams.subtitles
        assert [t.metadata["language"] for t in texts] == ["deu", "eng"]
        for text in texts:
            assert said(container, text) == near(SAID)
        fonts = [(f.name, f.data) for f in container.streams.attachments]
        assert fonts == ([("letters.ttf", b"no real font")] if film.suffix == ".mkv" else [])
        container.seek(0)
        assert sum(1 for _ in container.decode(video=0)) == 60
        assert sum(1 for s in container.streams if s.type == "audio") == 1


def test_of_a_part_only_its_own(film, tmp_path):
    path = copy(film, lambda i: OverlaySink(tmp_path / f"out{film.suffix}", i), "30")  # 1.25 s
    with av.open(str(path)) as container:
        expected = [(0.0, 0.5, b"you"), (0.65, 0.3, b"Bye")]
        assert said(container, container.streams.subtitles[0]) == near(expected)
        assert chapters(container) == near([(0.0, 0.35, "Two"), (0.35, 1.25, "Three")])
        assert container.metadata.get("title") == "Red and blue"


def test_nothing_from_behind_the_end(film, tmp_path):
    sink = lambda info: OverlaySink(tmp_path / f"out{film.suffix}", info)  # noqa: E731
    path = copy(film, sink, end="21")  # 0.875 s
    with av.open(str(path)) as container:
        assert said(container, container.streams.subtitles[0]) == near(SAID[:1])
        assert [title for _, _, title in chapters(container)] == ["One"]


def test_subtitles_stay_when_sound_is_left_out(film, tmp_path):
    path = copy(film, lambda i: OverlaySink(tmp_path / f"out{film.suffix}", i, sound=False))
    with av.open(str(path)) as container:
        assert not container.streams.audio
        assert len(container.streams.subtitles) == 2


@pytest.mark.parametrize(
    ("kind", "suffix", "says"),
    [
        ("mkv", ".mp4", "subrip subtitles do not fit into mp4 files"),
        ("mp4", ".mkv", "mov_text subtitles do not fit into matroska files"),
        ("mkv", ".webm", "subrip subtitles do not fit into webm files"),
    ],
)
def test_what_does_not_fit_is_left_out_and_told(tmp_path, caplog, kind, suffix, says):
    film = with_other_streams(tmp_path, kind)
    path = copy(film, lambda info: OverlaySink(tmp_path / f"out{suffix}", info))
    assert says in caplog.text
    with av.open(str(path)) as container:
        assert not container.streams.subtitles
        assert {k.lower() for k in container.metadata} >= {"title"}


def test_masks_keep_the_tags_but_no_streams(tmp_path):
    film = with_other_streams(tmp_path, "mkv")
    path = copy(film, lambda info: MaskVideoSink(tmp_path / "ids.mkv", info))
    with av.open(str(path)) as container:
        assert container.metadata["title"] == "Red and blue"
        assert [s.type for s in container.streams] == ["video"]


def test_cut_outs_keep_all(tmp_path):
    film = with_other_streams(tmp_path, "mp4")
    path = copy(film, lambda info: AlphaVideoSink(tmp_path / "cut.mov", info))
    with av.open(str(path)) as container:
        assert container.metadata["title"] == "Red and blue"
        assert len(container.streams.subtitles) == 2
        assert len(container.streams.audio) == 1


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_ffprobe_sees_the_same(film, tmp_path):
    path = copy(film, lambda info: OverlaySink(tmp_path / f"out{film.suffix}", info))
    run = subprocess.run(
        ["ffprobe", "-v", "error", "-show_format", "-show_chapters", "-show_streams", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    assert "TAG:title=Red and blue" in run.stdout
    assert run.stdout.count("codec_type=subtitle") == 2
    assert run.stdout.count("[CHAPTER]") == 3
