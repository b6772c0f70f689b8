import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from jointvos.datasets import read_labels
from jointvos.datasets.label_png import plain_labels
from jointvos.errors import DatasetError

IDS = np.random.default_rng(0).integers(0, 256, (37, 53), np.uint8)


def png(labels=IDS, mode="P", **options):
    image = Image.fromarray(labels)
    if mode == "P":
        image.putpalette([value for index in range(256) for value in (index, 9, 255 - index)])
    file = BytesIO()
    image.convert(mode).save(file, "PNG", **options)
    return file.getvalue()


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def by_hand(labels=IDS, depth=8, kind=0, interlaced=0, filters=0, parts=1, cut=0):
    """A PNG with what Pillow does not write."""
    height, width = labels.shape
    rows = np.concatenate([np.full((height, 1), filters, np.uint8), labels], axis=1)
    data = zlib.compress(rows.tobytes())
    data = data[: len(data) - cut]
    step = -(-len(data) // parts)
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    pieces = [chunk(b"IDAT", data[i : i + step]) for i in range(0, len(data), step)]
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(pieces) + chunk(b"IEND", b"")


def note():
    info = PngInfo()
    info.add_text("Software", "IDAT")
    return info


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(png(), id="palette"),
        pytest.param(png(compress_level=1, pnginfo=note()), id="with-a-note"),
        pytest.param(png(transparency=0), id="transparent-background"),
        pytest.param(png(IDS[:1, :1]), id="one-pixel"),
        pytest.param(by_hand(), id="gray"),
        pytest.param(by_hand(parts=5), id="in-parts"),
    ],
)
def test_plain_masks_are_read_as_by_pillow(content):
    found = plain_labels(content)
    assert found is not None
    assert found.flags.writeable
    np.testing.assert_array_equal(found, np.array(Image.open(BytesIO(content))))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(png(mode="L"), id="filtered"),
        pytest.param(by_hand(filters=1), id="filtered-by-hand"),
        pytest.param(png((IDS > 99).astype(np.uint8), bits=1), id="one-bit"),
        pytest.param(png(mode="1"), id="black-and-white"),
        pytest.param(png(mode="RGB"), id="colors"),
        pytest.param(png(np.zeros((4, 4), np.uint8), mode="I;16"), id="16-bit"),
        pytest.param(by_hand(interlaced=1), id="interlaced"),
        pytest.param(by_hand(cut=1), id="no-checksum"),
        pytest.param(by_hand(cut=900), id="cut-inside"),
        pytest.param(png()[:900], id="cut-off"),
        pytest.param(png()[:30], id="a-head"),
        pytest.param(b"", id="empty"),
        pytest.param(b"GIF89a" + png(), id="another-format"),
        pytest.param(by_hand(np.zeros((0, 4), np.uint8)), id="no-rows"),
        pytest.param(
            by_hand()[:16] + struct.pack(">II", 53, 36) + by_hand()[24:], id="too-much-data"
        ),
        pytest.param(
            by_hand()[:16] + struct.pack(">II", 60000, 60000) + by_hand()[24:], id="a-bomb"
        ),
    ],
)
def test_others_are_left_to_pillow(content):
    assert plain_labels(content) is None


@pytest.mark.parametrize("cut", [1, 10, 900])
def test_damage_is_told(tmp_path, cut):
    (tmp_path / "a.png").write_bytes(png()[: len(png()) // 2 - cut])
    with pytest.raises(DatasetError, match=r"a\.png cannot be read as an image"):
        read_labels(tmp_path / "a.png")
