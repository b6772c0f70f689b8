import logging

import av
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel, hwdevices_available
from clips import index_of

from jointvos.errors import ConfigError, DeviceUnavailable
from jointvos.media.reading import VideoReader, video_reader
from jointvos.media.reading.frame_pixels import FramePixels, codes_of
from jointvos.media.reading.hwaccel import find_hwaccel
from jointvos.runs import SegmentJob, SessionSpec, job


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


def test_unknown_kinds_of_devices_are_refused(make_clip):
    with pytest.raises(ConfigError, match="`hwaccel` is 'nvdec', expected one of"):
        VideoReader(make_clip(), hwaccel="nvdec")


@pytest.mark.skipif("cuda" not in hwdevices_available(), reason="FFmpeg is built without it")
def test_a_device_that_is_missing_is_named():
    with pytest.raises(DeviceUnavailable, match="hwaccel cuda:99 here") as error:
        find_hwaccel("cuda:99")
    assert error.value.hint == "leave out `hwaccel`"


def test_the_video_is_decoded_on_the_gpu_of_its_session(monkeypatch):
    asked = []
    monkeypatch.setattr(job, "open_source", lambda *_, hwaccel, **__: asked.append(hwaccel))
    for device in ("auto", "cuda", "cuda:2"):
        one = SegmentJob("a.mp4", session=SessionSpec(device=device), hwaccel="cuda")
        one.open()
        one.open(threads=False)
    assert asked == ["cuda", None, "cuda", None, "cuda:2", None]
