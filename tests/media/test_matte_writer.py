import logging
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image
from soft_scene import info, result_of, results, write

from jointvos.errors import ConfigError, OutputExists
from jointvos.masks import matte
from jointvos.media.writing import MatteFolderSink, MatteVideoSink

LIMITED, FULL = 1, 2


def luma(path):
    """The stream, the frames, and their first planes as they are coded."""
    with av.open(str(path)) as video:
        frames = list(video.decode(video=0))
        values = []
        for frame in frames:
            kind = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
            plane = frame.planes[0]
            values.append(np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width])
        return video.streams.video[0].codec_context, frames, values


@pytest.mark.parametrize("edges", ["soft", "hard"])
@pytest.mark.parametrize("size", [(64, 48), (53, 39)], ids=["even", "odd"])
@pytest.mark.parametrize(
    ("suffix", "luma_range", "codec", "black", "white", "most"),
    [
        pytest.param(".mp4", "limited", "h264", 16, 235, 9, id="H.264"),
        pytest.param(".mp4", "full", "h264", 0, 255, 10, id="H.264, full range"),
        pytest.param(".m4v", "limited", "h264", 16, 235, 9, id="M4V"),
        pytest.param(".mov", "limited", "prores", 64, 940, 24, id="ProRes"),
        pytest.param(".mkv", "limited", "ffv1", 64, 940, 0, id="FFV1"),
        pytest.param(".mkv", "full", "ffv1", 0, 1023, 0, id="FFV1, full range"),
    ],
)
def test_objects_are_white_in_the_range_that_stream_and_frames_tell(
    tmp_path, caplog, suffix, luma_range, codec, black, white, most, size, edges
):
    given = list(results(5, *size))
    path = tmp_path / f"matte{suffix}"
    with caplog.at_level(logging.WARNING):
        write(MatteVideoSink(path, info(*size), edges=edges, luma_range=luma_range), given)
    assert ("few editors open H.264" in caplog.text) == (codec == "h264" and size == (53, 39))
    context, frames, values = luma(path)
    assert context.name == codec
    assert (context.width, context.height) == size
    assert len(frames) == len(given)
    for (_, result), frame, got in zip(given, frames, values, strict=True):
        want = black + (white - black) * matte(result, hard=edges == "hard")
        assert np.abs(got - np.rint(want)).max() <= most
        assert frame.color_range == context.color_range == (FULL if black == 0 else LIMITED)
        # which matrix does not matter to gray, but that it is said does
        assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (6, 6, 6)
        for plane in frame.planes[1:]:
            kind = np.uint8 if white < 256 else np.uint16
            rows = np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width]
            assert set(np.unique(rows)) == {128 if white < 256 else 512}


def test_hard_edges_need_no_probabilities(tmp_path):
    given = [(frame, replace(result, probabilities=None)) for frame, result in results(2)]
    write(MatteVideoSink(tmp_path / "hard.mkv", info(), edges="hard"), given)
    for (_, result), values in zip(given, luma(tmp_path / "hard.mkv")[2], strict=True):
        assert np.array_equal(values == 940, result.labels > 0)
        assert set(np.unique(values)) == {64, 940}
    with pytest.raises(ConfigError, match="probabilities"):
        write(MatteVideoSink(tmp_path / "soft.mkv", info()), given)


def test_a_matte_of_one_object_is_black_before_it_is_given(tmp_path):
    first, (frame, both) = results(2)
    alone = result_of(both.probabilities[1:2], 0, (3,))
    write(
        MatteVideoSink(tmp_path / "7.mkv", info(), object_id=7), [(first[0], alone), (frame, both)]
    )
    before, after = luma(tmp_path / "7.mkv")[2]
    assert set(np.unique(before)) == {64}
    assert np.array_equal(after, np.rint(64 + 876 * both.probabilities[2]))


def test_a_folder_holds_gray_images(tmp_path):
    given = list(results(2))
    write(MatteFolderSink(tmp_path / "matte", object_id=3), given)
    for frame, result in given:
        with Image.open(tmp_path / "matte" / f"{frame.name}.png") as image:
            assert image.mode == "L"
            assert np.array_equal(np.asarray(image), np.rint(result.probabilities[1] * 255))
    with pytest.raises(OutputExists):
        MatteFolderSink(tmp_path / "matte")


@pytest.mark.parametrize(
    ("name", "luma_range", "why"),
    [
        ("m.webm", "limited", "ending in .mp4, .m4v, .mov, .mkv, or a folder of PNG files"),
        ("m.png", "limited", "a folder of PNG files"),
        ("m.mov", "full", "ProRes has limited range"),
    ],
)
def test_what_is_no_matte_is_refused(tmp_path, name, luma_range, why):
    with pytest.raises(ConfigError, match=why):
        MatteVideoSink(tmp_path / name, info(), luma_range=luma_range)
