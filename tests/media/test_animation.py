from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import index_of, scene
from PIL import Image
from soft_scene import info, result_of, results, write

from jointvos.media.writing import CompositeSink, MaskVideoSink, OverlaySink
from jointvos.types import Frame

TICK = Fraction(1, 1000)


def scenes(times, width=64, height=48):
    """Frames at these milliseconds, with nothing in them."""
    for i, ms in enumerate(times):
        frame = Frame(i, ms, ms / 1000, scene(i, width, height), f"{i:05d}")
        yield frame, result_of(np.zeros((1, height, width)), i, (1,))


def animation(path):
    """Size, loops, the images and their milliseconds, by Pillow."""
    pictures, durations = [], []
    with Image.open(path) as image:
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            pictures.append(np.asarray(image.convert("RGB")))
            durations.append(image.info["duration"])
        return image.size, image.info.get("loop", 0), pictures, durations


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize(
    ("times", "kept", "durations"),
    [
        pytest.param([0, 40, 80, 120], [0, 1, 2, 3], [40, 40, 40, 40], id="25 per second"),
        pytest.param([80, 120, 320], [0, 1, 2], [40, 200, 40], id="uneven, begins late"),
        pytest.param([0, 8, 17, 25, 33, 42, 50], [0, 3, 6], [30, 20, 40], id="120 per second"),
        pytest.param([0], [0], [40], id="one frame"),
    ],
)
def test_an_animation_has_the_frames_and_times_of_the_video(
    tmp_path, suffix, times, kept, durations
):
    source = replace(info(), frame_rate=Fraction(25), time_base=TICK)
    write(OverlaySink(tmp_path / f"o{suffix}", source), scenes(times))
    size, loops, pictures, found = animation(tmp_path / f"o{suffix}")
    assert size == (64, 48)
    assert loops == 0 or len(kept) == 1  # one frame is a still
    assert [index_of(picture) for picture in pictures] == kept
    # a GIF counts hundredths of a second; the last frame stays for some time, too
    assert found[:-1] == pytest.approx(durations[:-1], abs=6)
    for index, picture in zip(kept, pictures, strict=True):
        assert np.abs(picture.astype(int) - scene(index)).mean() < 4


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_preview_is_narrow_and_its_pixels_are_square(tmp_path, suffix):
    wide = replace(info(640, 360), sample_aspect_ratio=Fraction(2))
    write(OverlaySink(tmp_path / f"o{suffix}", wide), results(2, 640, 360))
    assert animation(tmp_path / f"o{suffix}")[0] == (480, 135)
    write(OverlaySink(tmp_path / f"n{suffix}", wide, max_width=101), results(2, 640, 360))
    assert animation(tmp_path / f"n{suffix}")[0] == (101, 28)


def test_masks_and_new_backgrounds_are_animated_as_well(tmp_path):
    given = list(results(3))
    write(MaskVideoSink(tmp_path / "m.gif", info()), given)
    for picture, (_, result) in zip(animation(tmp_path / "m.gif")[2], given, strict=True):
        assert np.array_equal(picture.any(axis=2), result.labels > 0)
    green = np.full((48, 64, 3), (0, 255, 0), np.uint8)
    write(CompositeSink(tmp_path / "c.webp", info(), lambda image, soft: green), given)
    for picture in animation(tmp_path / "c.webp")[2]:
        assert np.abs(picture[-4:].astype(int) - (0, 255, 0)).max() < 12


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_run_that_ends_early_leaves_nothing(tmp_path, suffix):
    sink = OverlaySink(tmp_path / f"o{suffix}", info())
    for frame, result in results(2):
        sink.write(frame, result)
    sink.abort()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("size", "limit", "expected"),
    [((64, 48), 32, (32, 24)), ((53, 39), 33, (32, 24)), ((64, 48), 100, (64, 48))],
)
def test_other_videos_are_scaled_on_request(tmp_path, size, limit, expected):
    path = tmp_path / "o.mp4"
    write(OverlaySink(path, info(*size), max_width=limit), results(2, *size))
    with av.open(str(path)) as video:
        (stream,) = video.streams.video
        assert (stream.width, stream.height) == expected
