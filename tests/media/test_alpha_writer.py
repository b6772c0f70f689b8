from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from soft_scene import info, results, write

from jointvos.errors import ConfigError, EncodeError
from jointvos.masks import foreground
from jointvos.media.reading import VideoReader
from jointvos.media.writing import AlphaFolderSink, AlphaVideoSink
from jointvos.media.writing.formats import ALPHA_FORMATS
from jointvos.types import FrameResult


def rgba(path: Path) -> list[np.ndarray]:
    """The video's frames as RGBA, 0 to 1."""
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        decoder = stream.codec_context
        if decoder.name == "vp9":
            decoder = av.CodecContext.create("libvpx-vp9", "r")
        images = [p for packet in video.demux(stream) for p in decoder.decode(packet)]
    return [p.to_ndarray(format="rgba64le") / 65535 for p in images]


@pytest.mark.parametrize(
    ("suffix", "codec", "most"),
    [
        pytest.param(".mov", "prores", 0.004, id="ProRes 4444"),
        pytest.param(".webm", "vp9", 0.06, id="VP9"),
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (53, 39)], ids=["even", "odd"])
def test_the_alpha_of_a_video_comes_back(tmp_path, suffix, codec, most, size):
    given = list(results(6, *size))
    write(AlphaVideoSink(tmp_path / f"a{suffix}", info(*size)), given)
    with av.open(str(tmp_path / f"a{suffix}")) as video:
        stream = video.streams.video[0]
        assert stream.codec.canonical_name == codec
        if codec == "vp9":
            assert stream.metadata["ALPHA_MODE"] == "1"
    got = rgba(tmp_path / f"a{suffix}")
    assert len(got) == len(given)
    for (_, result), image in zip(given, got, strict=True):
        error = np.abs(image[..., 3] - foreground(result))
        assert error.max() < most
        assert error.mean() < most / 4


def test_alpha_is_straight(tmp_path):
    # where nothing is seen the colors are still those of the image, not black
    given = list(results(2))
    write(AlphaVideoSink(tmp_path / "a.mov", info()), given)
    frame, result = given[0]
    outside = foreground(result) < 0.01
    assert outside.mean() > 0.3
    image = rgba(tmp_path / "a.mov")[0]
    assert np.abs(image[outside][:, :3] * 255 - frame.image[outside]).mean() < 3


def test_alpha_as_images_is_exact(tmp_path):
    given = list(results(3))
    write(AlphaFolderSink(tmp_path / "a"), given)
    for frame, result in given:
        with Image.open(tmp_path / "a" / f"{frame.name}.png") as image:
            assert image.mode == "RGBA"
            pixels = np.asarray(image)
        assert np.array_equal(pixels[..., :3], frame.image)
        assert np.abs(pixels[..., 3] - 255 * foreground(result)).max() <= 0.501


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mkv", ".avi", ".gif", ".txt", ""])
def test_files_without_transparency_are_refused(tmp_path, suffix):
    with pytest.raises(ConfigError, match=r"use \.mov \(ProRes 4444\), \.webm \(VP9\) or a folder"):
        AlphaVideoSink(tmp_path / f"a{suffix}", info())


@pytest.mark.parametrize(
    ("suffix", "pixels"), [(".mov", "yuv444p10le"), (".webm", "yuv420p")], ids=["mov", "webm"]
)
def test_a_video_that_lost_its_alpha_does_not_appear(tmp_path, monkeypatch, suffix, pixels):
    lossy = replace(ALPHA_FORMATS[suffix], pixels=pixels)
    monkeypatch.setitem(ALPHA_FORMATS, suffix, lossy)
    sink = AlphaVideoSink(tmp_path / f"a{suffix}", info())
    with pytest.raises(EncodeError, match="without its transparency"):
        write(sink, results(3))
    sink.abort()
    assert list(tmp_path.iterdir()) == []


def test_sound_is_copied(make_clip, tmp_path):
    with VideoReader(make_clip(sound_s=0.5, frames=6)) as source:
        for sound in (True, False):
            sink = AlphaVideoSink(tmp_path / f"{sound}.mov", source.info, sound=sound)
            for frame, (_, result) in zip(source, results(6), strict=True):
                sink.write(frame, result)
            sink.close()
            sink.commit()
            with av.open(str(sink.path)) as video:
                assert len(video.streams.audio) == sound


def test_results_without_probabilities_are_refused(tmp_path):
    frame, result = next(results(1))
    bare = FrameResult(result.index, result.labels, result.objects)
    sink = AlphaVideoSink(tmp_path / "a.mov", info())
    with pytest.raises(ConfigError, match="probabilities=True"):
        sink.write(frame, bare)
