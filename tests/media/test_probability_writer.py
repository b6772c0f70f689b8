import struct

import av
import numpy as np
import pytest
from PIL import Image
from soft_scene import info, result_of, results, write

from jointvos.errors import ConfigError, EncodeError, OutputError, OutputExists
from jointvos.masks import Refinement, to_8_bit
from jointvos.media.writing import CropSink, ProbabilityFolderSink, ProbabilityVideoSink


@pytest.mark.parametrize(("bits", "white"), [(8, 255), (16, 65535)])
def test_probabilities_as_images(tmp_path, bits, white):
    given = list(results(3))
    write(ProbabilityFolderSink(tmp_path / "soft", bits=bits), given)
    assert sorted(p.name for p in (tmp_path / "soft").iterdir()) == ["3", "7"]
    for frame, result in given:
        for channel, folder in ((1, "3"), (2, "7")):
            with Image.open(tmp_path / "soft" / folder / f"{frame.name}.png") as image:
                assert image.mode == ("L" if bits == 8 else "I;16")
                gray = np.asarray(image)
            assert np.abs(gray - white * result.probabilities[channel]).max() <= 0.51


@pytest.mark.parametrize(("bits", "pixels", "white"), [(8, "gray", 255), (16, "gray16le", 65535)])
def test_probabilities_as_a_video(tmp_path, bits, pixels, white):
    given = list(results(4))
    write(ProbabilityVideoSink(tmp_path / "soft.mkv", info(), bits=bits), given)
    for channel, name in ((1, "object 3"), (2, "object 7")):
        with av.open(str(tmp_path / "soft.mkv")) as video:
            stream = video.streams.video[channel - 1]
            assert stream.metadata["title"] == name
            got = list(video.decode(stream))
        assert [p.time for p in got] == pytest.approx([f.time_s for f, _ in given], abs=0.0006)
        for (_, result), image in zip(given, got, strict=True):
            gray = image.to_ndarray(format=pixels)
            assert np.abs(gray - white * result.probabilities[channel]).max() <= 0.51


def test_a_video_has_place_for_later_objects_that_are_known(tmp_path):
    sink = ProbabilityVideoSink(tmp_path / "soft.mkv", info(), ids=(3, 7))
    (frame, result), (later, more) = results(2)
    sink.write(frame, result_of(result.probabilities[1:2], ids=(3,)))
    sink.write(later, more)
    sink.close()
    sink.commit()
    with av.open(str(tmp_path / "soft.mkv")) as video:
        got = [p.to_ndarray(format="gray") for p in video.decode(video.streams.video[1])]
    assert not got[0].any()
    assert np.abs(got[1] - 255 * more.probabilities[2]).max() <= 0.51


def test_a_video_has_no_place_for_later_objects(tmp_path):
    sink = ProbabilityVideoSink(tmp_path / "soft.mkv", info())
    (frame, result), (later, more) = results(2)
    sink.write(frame, result_of(result.probabilities[1:2], ids=(3,)))
    with pytest.raises(EncodeError, match=r"object 7 appears later.* to a folder"):
        sink.write(later, more)
    sink.abort()
    assert list(tmp_path.iterdir()) == []


def test_other_videos_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.mkv"):
        ProbabilityVideoSink(tmp_path / "soft.mp4", info())


def offset(data: bytes) -> tuple[int, int]:
    place = data.index(b"oFFs") + 4
    return struct.unpack(">ii", data[place : place + 8])


def test_crops_fit_where_they_were_cut(tmp_path):
    given = list(results(5, gone_from=3))
    write(CropSink(tmp_path / "crop"), given)
    names = {
        folder: sorted(p.name for p in (tmp_path / "crop" / folder).iterdir()) for folder in "37"
    }
    assert names == {
        "3": [f"{i:05d}.png" for i in range(5)],
        "7": [f"{i:05d}.png" for i in range(3)],
    }
    for frame, result in given:
        for state, soft in zip(result.objects, result.probabilities[1:], strict=True):
            if state.box is None:
                continue
            path = tmp_path / "crop" / str(state.id) / f"{frame.name}.png"
            left, top = offset(path.read_bytes())
            pixels = np.asarray(Image.open(path))
            height, width = pixels.shape[:2]
            x, y, w, h = state.box
            assert left <= x
            assert top <= y
            assert left + width >= x + w
            assert top + height >= y + h
            part = np.s_[top : top + height, left : left + width]
            assert np.array_equal(pixels[..., :3], frame.image[part])
            assert np.abs(pixels[..., 3] - 255 * soft[part]).max() <= 0.501


def test_crops_hold_all_of_a_soft_edge(tmp_path):
    feather = Refinement(feather=20)
    given = [(frame, feather(result)) for frame, result in results(2, 320, 240)]
    write(CropSink(tmp_path / "crop"), given)
    for frame, result in given:
        for state, soft in zip(result.objects, result.probabilities[1:], strict=True):
            path = tmp_path / "crop" / str(state.id) / f"{frame.name}.png"
            left, top = offset(path.read_bytes())
            alpha = np.asarray(Image.open(path))[..., 3]
            whole = np.zeros((240, 320), np.uint8)
            whole[top : top + alpha.shape[0], left : left + alpha.shape[1]] = alpha
            assert np.array_equal(whole, to_8_bit(soft))
            assert whole.size > 2 * alpha.size


def test_crops_leave_out_what_is_far_from_the_object(tmp_path):
    ((frame, result),) = results(1, 320, 240)
    result.probabilities[1, 200, 300] = 0.01
    write(CropSink(tmp_path / "crop"), [(frame, result)])
    (path,) = (tmp_path / "crop" / "3").iterdir()
    with Image.open(path) as crop:
        assert crop.width < 80


def test_folders_of_objects_are_replaced_only_if_all_is_ours(tmp_path):
    write(CropSink(tmp_path / "crop"), results(2))
    with pytest.raises(OutputExists):
        CropSink(tmp_path / "crop")
    write(CropSink(tmp_path / "crop", overwrite=True), results(1))
    assert len(list((tmp_path / "crop").rglob("*.png"))) == 2
    mine = tmp_path / "crop" / "3" / "mine.png"
    mine.write_text("precious")
    with pytest.raises(OutputError, match="holds 3, which jointvos did not write"):
        CropSink(tmp_path / "crop", overwrite=True)
    assert mine.read_text() == "precious"
