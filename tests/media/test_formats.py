import av
import numpy as np
import pytest
import torch
from clips import index_of
from PIL import Image
from soft_scene import info, results, write

from jointvos.errors import ConfigError, EncodeError, MediaOpenError
from jointvos.masks import foreground, read_background
from jointvos.media.writing import CompositeSink, OverlaySink
from jointvos.media.writing.formats import choose_format
from jointvos.types import FrameResult


def video(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        pictures = [p.to_ndarray(format="rgb24") for p in container.decode(stream)]
        return stream.codec.canonical_name, pictures


@pytest.mark.parametrize(
    ("encoder", "name", "codec"),
    [
        ("h264", "o.mkv", "h264"),
        ("h265", "o.mp4", "hevc"),
        ("h265", "o.mov", "hevc"),
        ("vp9", "o.mp4", "vp9"),
        ("av1", "o.mkv", "av1"),
        ("av1", "o.webm", "av1"),
        ("prores", "o.mov", "prores"),
        ("ffv1", "o.mkv", "ffv1"),
    ],
)
@pytest.mark.parametrize("size", [(96, 64), (75, 65)], ids=["even", "odd"])
def test_encoders_by_name(tmp_path, capfd, encoder, name, codec, size):
    given = list(results(5, *size))
    sink = OverlaySink(tmp_path / name, info(*size), encoder=encoder)
    write(sink, ((f, FrameResult(f.index, r.labels * 0, ())) for f, r in given))
    got, pictures = video(sink.path)
    assert got == codec
    assert [index_of(p) for p in pictures] == list(range(5))
    for (frame, _), picture in zip(given, pictures, strict=True):
        corner = np.s_[-20:-4, 4:30]
        error = np.abs(picture[corner].astype(int) - frame.image[corner]).mean()
        assert error == 0 if encoder == "ffv1" else error < 6
    assert capfd.readouterr().err == ""  # encoders are talkative


def test_apple_knows_h265_by_its_tag(tmp_path):
    sink = OverlaySink(tmp_path / "o.mp4", info(), encoder="h265")
    write(sink, results(2))
    with av.open(str(sink.path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_crf_is_quality(tmp_path):
    sizes = []
    for crf in (5, 18, 45):
        sink = OverlaySink(tmp_path / f"{crf}.mp4", info(), crf=crf)
        write(sink, results(6))
        sizes.append(sink.path.stat().st_size)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[2] * 1.3


@pytest.mark.parametrize(
    ("name", "encoder", "crf", "says"),
    [
        pytest.param(
            "o.mp4", "h266", None, "unknown encoder 'h266'; expected h264, h265", id="name"
        ),
        pytest.param("o.webm", "h264", None, r"does not go into \.webm.*\.mp4", id="webm"),
        pytest.param("o.mp4", "ffv1", None, r"use one of \.mkv", id="ffv1"),
        pytest.param("o.mp4", None, 52, "crf is 52, expected 0 to 51", id="crf"),
        pytest.param("o.webm", None, -1, "crf is -1, expected 0 to 63", id="negative"),
        pytest.param("o.mov", "prores", 20, "prores has no crf", id="prores"),
        pytest.param("o.xyz", "h264", None, r"ending in \.mp4", id="suffix"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, name, encoder, crf, says):
    with pytest.raises(ConfigError, match=says):
        choose_format(tmp_path / name, encoder, crf)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the hardware is there")
@pytest.mark.parametrize("encoder", ["h264_nvenc", "hevc_nvenc"])
def test_hardware_that_is_missing_is_named(tmp_path, encoder):
    with pytest.raises(ConfigError, match=rf"{encoder} cannot be used here .* NVIDIA GPU"):
        choose_format(tmp_path / "o.mp4", encoder)


def test_a_lost_frame_is_an_error(tmp_path):
    sink = OverlaySink(tmp_path / "o.mp4", info())
    for frame, result in results(3):
        sink.write(frame, result)
    sink._encoder._given += 1
    with pytest.raises(EncodeError, match="made 3 of 4 frames"):
        sink.close()


def composed(tmp_path, text):
    """Frame, probability and what the video shows."""
    sink = CompositeSink(tmp_path / "o.mkv", info(), read_background(text), encoder="ffv1")
    given = list(results(2))
    write(sink, given)
    return given[1][0].image, foreground(given[1][1]), video(sink.path)[1][1]


@pytest.mark.parametrize("text", ["lime", "#00ff00", "rgb(0,255,0)"])
def test_a_color_behind(tmp_path, text):
    image, soft, picture = composed(tmp_path, text)
    expected = soft[..., None] * image + (1 - soft[..., None]) * np.array([0, 255, 0])
    assert np.abs(picture - expected).max() <= 0.51


def test_a_picture_behind_fills_the_frame(tmp_path):
    behind = np.zeros((100, 400, 3), dtype=np.uint8)
    behind[:, 100:300] = (10, 200, 30)  # the sides will be cut off
    Image.fromarray(behind).save(tmp_path / "b.png")
    image, soft, picture = composed(tmp_path, str(tmp_path / "b.png"))
    expected = soft[..., None] * image + (1 - soft[..., None]) * np.array([10, 200, 30])
    assert np.abs(picture - expected).max() <= 1.01


def test_a_blurred_background(tmp_path):
    image, soft, picture = composed(tmp_path, "blur")
    assert np.abs(picture[soft > 0.999].astype(int) - image[soft > 0.999]).max() <= 1
    outside = soft < 0.001
    assert np.abs(picture[outside].astype(int) - image[outside]).mean() > 2
    before, after = (np.abs(np.diff(p.astype(int), axis=1)).max() for p in (image, picture))
    assert after <= before


def test_objects_do_not_run_into_the_blur():
    image = np.full((40, 60, 3), 100, dtype=np.uint8)
    soft = np.zeros((40, 60), dtype=np.float32)
    soft[10:30, 20:40] = 1
    image[10:30, 20:40] = (255, 0, 0)
    behind = read_background("blur")(image, soft)
    assert np.abs(behind[soft == 0].astype(int) - 100).max() <= 2


def test_what_is_no_background_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected blur, a color"):
        read_background("greenish")
    (tmp_path / "b.png").write_text("no image")
    with pytest.raises(MediaOpenError, match=r"b\.png: not an image"):
        read_background(str(tmp_path / "b.png"))
