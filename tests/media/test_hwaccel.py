import json
import logging

import av
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel
from clips import index_of
from PIL import Image

from jointvos.cli.info import info
from jointvos.errors import ConfigError, DeviceUnavailable
from jointvos.media.reading import VideoReader, open_source, video_reader
from jointvos.media.reading.frame_pixels import FramePixels, codes_of
from jointvos.media.reading.hwaccel import find_hwaccel, hwaccels
from jointvos.runs import SegmentJob, SessionSpec, job

needs_cuda = pytest.mark.skipif("cuda" not in hwaccels(), reason="FFmpeg is built without it")


@pytest.mark.parametrize(
    ("planar", "interleaved"),
    [("yuv420p", "nv12"), ("yuv420p10le", "p010le"), ("yuv420p16le", "p016le")],
)
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_what_such_decoders_return_shows_the_same_image(planar, interleaved, matrix):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    usual = av.VideoFrame.from_ndarray(noise, format="rgb24").reformat(format=planar)
    usual.colorspace = matrix
    other = usual.reformat(format=interleaved)
    assert other.format.name == interleaved
    np.testing.assert_array_equal(FramePixels(other).image(other), FramePixels(usual).image(usual))
    np.testing.assert_array_equal(codes_of(other), codes_of(usual))


def test_a_codec_that_the_device_does_not_know_is_decoded_by_the_cpu(
    make_clip, monkeypatch, caplog
):
    monkeypatch.setattr(video_reader, "find_hwaccel", HWAccel)  # opened for codecs it knows only
    path = make_clip(name="clip.mkv", codec="ffv1")
    with caplog.at_level(logging.WARNING), VideoReader(path, hwaccel="cuda") as source:
        assert [index_of(frame.image) for frame in source] == list(range(12))
    assert "ffv1 is not decoded by cuda but by the CPU" in caplog.text


@pytest.mark.parametrize("name", ["nvdec", "qsv", "drm", "none", ""])  # some have no H.264 decoder
def test_unknown_kinds_of_devices_are_refused(make_clip, name):
    assert name not in hwaccels()
    with pytest.raises(ConfigError, match=f"`hwaccel` is '{name}', expected "):
        VideoReader(make_clip(), hwaccel=name)


@pytest.mark.parametrize("raw", [None, "64x48@10"])
def test_unknown_kinds_are_refused_where_nothing_is_decoded(tmp_path, raw):
    Image.new("RGB", (64, 48)).save(tmp_path / "0.png")
    source = tmp_path if raw is None else tmp_path / "0.png"
    with pytest.raises(ConfigError, match="`hwaccel` is 'nonsense'"):
        open_source(source, raw=raw, hwaccel="nonsense")


@needs_cuda
@pytest.mark.parametrize("name", ["cuda:x", "cuda:-1", "cuda:1.5", "cuda:/dev/dri/renderD128"])
def test_a_gpu_that_is_no_number_is_refused(name):
    with pytest.raises(ConfigError, match=f"`hwaccel` is '{name}', expected cuda or"):
        find_hwaccel(name)


@needs_cuda
@pytest.mark.parametrize("name", ["cuda:99", "cuda:99999999999999999999"])
def test_a_device_that_is_missing_is_named(name):
    with pytest.raises(DeviceUnavailable, match=f"hwaccel {name} here") as error:
        find_hwaccel(name)
    assert error.value.hint == "leave out `hwaccel`"


def test_info_lists_what_is_accepted(capsys):
    info(as_json=True)
    assert json.loads(capsys.readouterr().out)["hwaccels"] == hwaccels()


def test_the_video_is_decoded_on_the_gpu_of_its_session(monkeypatch):
    asked = []
    monkeypatch.setattr(job, "open_source", lambda *_, hwaccel, **__: asked.append(hwaccel))
    for device in ("auto", "cuda", "cuda:2"):
        one = SegmentJob("a.mp4", session=SessionSpec(device=device), hwaccel="cuda")
        one.open()
        one.open(threads=False)
    assert asked == ["cuda", None, "cuda", None, "cuda:2", None]
