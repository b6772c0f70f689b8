"""Masks drawn as SVG; the forms are those that Inkscape, Illustrator and Figma write."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from jointvos.errors import EmptyMaskError, MaskError, MaskReadError, MaskSizeMismatch
from jointvos.masks import MaskPrompts, read_prompts
from jointvos.types import VideoInfo

WIDTH, HEIGHT = 64, 48
RATE = Fraction(24)
INFO = VideoInfo(Path("clip.mp4"), WIDTH, HEIGHT, RATE, 1 / RATE, frame_count=20)

IDS = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
IDS[8:20, 8:24], IDS[24:40, 30:60] = 1, 2
FISH, CRAB = "M8 8H24V20H8z", "M30 24h30v16h-30z"
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH] + 0.5

INKSCAPE = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<!-- Created with Inkscape (http://www.inkscape.org/) -->
<svg width="16.933mm" height="12.7mm" viewBox="0 0 16.933 12.7" version="1.1"
   xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"
   xmlns:sodipodi="http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd"
   xmlns="http://www.w3.org/2000/svg">
  <sodipodi:namedview id="namedview7" inkscape:document-units="px" />
  <defs id="defs2"><path id="brush" d="M0 0H64V48z"/></defs>
  <g inkscape:groupmode="layer" id="layer1" inkscape:label="frame" style="display:inline"
     sodipodi:insensitive="true"><image href="frame.png" width="17" height="13"/></g>
  <g inkscape:groupmode="layer" id="layer2" inkscape:label="Ebene 2">
    <path style="fill:none;stroke:#f00" inkscape:label="fish" id="path836"
      d="m 2.1166,2.1166 h 4.2333 v 3.175 h -4.2333 z" />
    <path style="fill:#00ff00" d="M 7.9375,6.35 H 15.875 V 10.583 H 7.9375 Z" id="crab" />
  </g>
</svg>"""
ILLUSTRATOR = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg version="1.1" xmlns="http://www.w3.org/2000/svg" x="0px" y="0px" viewBox="0 0 64 48">
<style type="text/css">.st0{fill:#FF0000;}</style>
<g id="fish"><rect x="8" y="8" class="st0" width="16" height="6"/>
  <polygon class="st0" points="8,14 24,14 24,20 8,20 "/></g>
<g id="king_x20_crab"><path class="st0" d="M30,24h30v16H30V24z"/></g>
</svg>"""
FIGMA = """<svg width="64" height="48" viewBox="0 0 64 48" fill="none"
 xmlns="http://www.w3.org/2000/svg">
<g id="Frame 1" clip-path="url(#clip0_1_2)">
<path id="fish" d="M8 8H24V20H8V8Z" fill="#D9D9D9"/>
<rect id="Rectangle 2" x="30" y="24" width="30" height="16" fill="#D9D9D9"/>
</g><defs><clipPath id="clip0_1_2"><rect width="64" height="48" fill="white"/></clipPath></defs>
</svg>"""


def svg(content: str, head: str = 'viewBox="0 0 64 48"') -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" {head}>{content}</svg>'


def path(data: str, attributes: str = "") -> str:
    return f'<path d="{data}" {attributes}/>'


def read(folder: Path, text: str, info: VideoInfo = INFO) -> MaskPrompts:
    (folder / "m.svg").write_text(text, encoding="utf-8")
    return read_prompts([str(folder / "m.svg")], info)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param(INKSCAPE, {1: "fish", 2: "crab"}, id="Inkscape"),
        pytest.param(ILLUSTRATOR, {1: "fish", 2: "king crab"}, id="Illustrator"),
        pytest.param(FIGMA, {1: "fish"}, id="Figma"),
        pytest.param(svg(path(FISH) + path(CRAB)), {}, id="no names"),
        pytest.param(svg(path(FISH, 'id="path1"') + path(CRAB, 'id="1"')), {}, id="number"),
        pytest.param(
            svg(path(FISH).replace("/>", "><title>fish</title></path>") + path(CRAB)),
            {1: "fish"},
            id="title",
        ),
        pytest.param(
            f"<svg width='64' height='48px'>{path(FISH)}{path(CRAB)}</svg>", {}, id="bare"
        ),
    ],
)
def test_layers_groups_and_shapes_are_objects(tmp_path, text, names):
    prompts = read(tmp_path, text)
    wanted = 3 * (IDS > 0) - IDS if 'id="1"' in text else IDS
    assert np.array_equal(prompts.first, wanted)
    assert prompts.names == names


@pytest.mark.parametrize(
    ("layer", "names"),
    [("Layer 1", {}), ("Ebene 1", {}), ("reef", {1: "reef"}), ("fish 1", {1: "fish 1"})],
)
def test_a_single_layer_is_an_object_if_it_has_a_name(tmp_path, layer, names):
    prompts = read(tmp_path, svg(f'<g id="{layer}">{path(FISH)}{path(CRAB)}</g>'))
    assert np.array_equal(prompts.first, IDS > 0 if names else IDS)
    assert prompts.names == names


def test_the_only_shape_of_a_layer_has_its_name(tmp_path):
    text = svg(f'<g id="fish"><g id="g12"><path id="path3" d="{FISH}"/></g></g>')
    assert read(tmp_path, text).names == {1: "fish"}


def disc(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    return ((COLUMNS - x) / rx) ** 2 + ((ROWS - y) / ry) ** 2 < 1


BIG, SMALL = disc(32, 24, 16, 16), disc(32, 24, 8, 8)
OUTER = "M16 24A16 16 0 0 1 48 24A16 16 0 0 1 16 24z"
INNER = "M24 24A8 8 0 0 1 40 24A8 8 0 0 1 24 24z"
REVERSED = "M24 24a8 8 0 0 0 16 0a8 8 0 0 0-16 0z"
ARC = 16 * 0.5522847498  # of a cubic curve close to a quarter of a circle
CUBIC = (
    f"M16 24C16 {24 - ARC} {32 - ARC} 8 32 8S48 {24 - ARC} 48 24S{32 + ARC} 40 32 40"
    f"S16 {24 + ARC} 16 24"
)
PARABOLA = (
    (COLUMNS > 8) & (COLUMNS < 56) & (ROWS < 8 + (COLUMNS - 8) * (56 - COLUMNS) / 24) & (ROWS > 8)
)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        pytest.param('<circle cx="32" cy="24" r="16"/>', BIG, id="circle"),
        pytest.param(
            '<ellipse cx="32" cy="24" rx="20" ry="9"/>', disc(32, 24, 20, 9), id="ellipse"
        ),
        pytest.param(
            '<rect x="16" y="8" width="32" height="32" rx="16"/>', BIG, id="round corners"
        ),
        pytest.param('<polyline points="8,8 24 8 24-0 24,20,8 20"/>', IDS == 1, id="polyline"),
        pytest.param(path(OUTER), BIG, id="arcs"),
        pytest.param(path(CUBIC), BIG, id="cubic"),
        pytest.param(path("M8 8Q32 56 56 8"), PARABOLA, id="quadratic"),
        pytest.param(path(OUTER + INNER), BIG, id="nonzero"),
        pytest.param(path(OUTER + REVERSED), BIG & ~SMALL, id="hole"),
        pytest.param(path(OUTER + INNER, 'fill-rule="evenodd"'), BIG & ~SMALL, id="even-odd"),
        pytest.param(
            f'<g style="fill-rule:evenodd">{path(OUTER + INNER)}</g>', BIG & ~SMALL, id="style"
        ),
        pytest.param(
            '<g transform="translate(8,8)"><path transform="scale(2)" d="M0 0h8v6h-8z"/></g>',
            IDS == 1,
            id="translate, scale",
        ),
        pytest.param(
            path("M0 0h12v16h-12z", 'transform="translate(24 8) rotate(90)"'), IDS == 1, id="rotate"
        ),
        pytest.param(
            path("M8 8H24V20H8z", 'transform="rotate(180, 16 14)"'), IDS == 1, id="rotate around"
        ),
        pytest.param(
            path("M0 0h1v1h-1z", 'transform="matrix(16 0 0 12 8 8)"'), IDS == 1, id="matrix"
        ),
        pytest.param(
            path("M8 8h16v12h-16z", 'transform="skewX(30) skewX(-30)"'), IDS == 1, id="skew"
        ),
    ],
)
def test_shapes_are_filled_where_pixels_have_their_centers(tmp_path, shape, wanted):
    found = read(tmp_path, svg(shape)).first
    assert (found.astype(bool) != wanted).sum() <= (0 if wanted.sum() == 192 else 4)


def test_what_is_hidden_or_only_defined_is_no_object(tmp_path):
    hidden = [
        path(CRAB, 'style="display:none"'),
        path(CRAB, 'visibility="hidden"'),
        f'<g display="none">{path(CRAB)}</g>',
        f"<clipPath>{path(CRAB)}</clipPath>",
        f"<defs>{path(CRAB)}</defs>",
    ]
    assert np.array_equal(read(tmp_path, svg("".join(hidden) + path(FISH))).first, IDS == 1)


def test_what_cannot_be_filled_is_told(tmp_path, caplog):
    read(tmp_path, svg(f'{path(FISH)}<text>a</text><use href="#a"/><g><text>b</text></g>'))
    assert "m.svg: left out 2 <text>, 1 <use>; convert what is missing to paths" in caplog.text


@pytest.mark.parametrize("scale", [2, Fraction(1, 2)])
def test_a_drawing_of_another_size_is_drawn_in_that_of_the_video(tmp_path, scale, caplog):
    info = VideoInfo(Path("clip.mp4"), int(64 * scale), int(48 * scale), RATE, 1 / RATE)
    found = read(tmp_path, svg('<circle cx="32" cy="24" r="16"/>'), info).first
    rows, columns = np.mgrid[: info.height, : info.width] + 0.5
    wanted = np.hypot(columns - info.width / 2, rows - info.height / 2) < 16 * scale
    assert (found.astype(bool) != wanted).sum() <= 4
    assert not caplog.records


def test_a_view_may_begin_anywhere(tmp_path):
    text = svg(f'<g transform="translate(-10 100)">{path(FISH)}</g>', 'viewBox="-10,100,64,48"')
    assert np.array_equal(read(tmp_path, text).first, IDS == 1)


BOMB = (
    '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<svg viewBox='0 0 64 48'><title>&b;</title></svg>"
)
EXTERNAL = (
    '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    "<svg viewBox='0 0 64 48'><title>&a;</title></svg>"
)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("<svg", MaskReadError, "is no SVG: "),
        ("no XML", MaskReadError, "is no SVG: "),
        ("<html/>", MaskReadError, "is no SVG: it is XML that begins with <html>"),
        (BOMB, MaskReadError, "declares entities, which are not expanded; save as plain SVG"),
        (EXTERNAL, MaskReadError, "declares entities"),
        ("<svg/>", MaskReadError, "'' is no length, such as 640, 640px or 169.33mm"),
        ("<svg width='100%' height='9'/>", MaskReadError, "'100%' is no length"),
        ("<svg viewBox='0 0 64'/>", MaskReadError, "viewBox is '0 0 64', expected four numbers"),
        ("<svg viewBox='0 0 0 48'/>", MaskReadError, "it is 0x48"),
        (
            svg(path(FISH), 'viewBox="0 0 64 64"'),
            MaskSizeMismatch,
            "is 64x64 but clip.mp4 is 64x48",
        ),
        (svg(""), EmptyMaskError, "holds no objects"),
        (svg("<image/>"), EmptyMaskError, "holds no objects"),
        (svg(path("M100 100h9v9z")), EmptyMaskError, "selects nothing"),
        (svg(path("M0 0 C 1 2")), MaskReadError, "C 1 2"),
        (svg(path("")), EmptyMaskError, "selects nothing"),
        (svg(path(FISH, 'transform="perspective(4)"')), MaskReadError, "transform 'perspective"),
        (svg(path(FISH, 'transform="rotate(1 2)"')), MaskReadError, "rotate has 2 numbers"),
        (svg("<g>" * 5000 + "</g>" * 5000), MaskReadError, "m.svg: "),
        (svg("<rect width='1e999' height='2'/>"), MaskReadError, "m.svg: invalid"),
    ],
)
def test_drawings_that_do_not_fit_are_told_in_one_line(tmp_path, text, error, says):
    with pytest.raises(MaskError, match=says) as caught:
        read(tmp_path, text)
    assert type(caught.value) is error
    assert "m.svg" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_drawings_are_refused_or_read_but_nothing_else(tmp_path):
    rng, said = np.random.default_rng(0), []
    for text in (INKSCAPE, FIGMA, svg(path(CUBIC + OUTER, 'transform="rotate(3 4 5)"'))):
        sound = text.encode()
        for _ in range(100):
            damaged = bytearray(sound)
            for at in rng.integers(len(sound), size=rng.integers(1, 4)):
                damaged[at] = rng.integers(32, 127)
            (tmp_path / "m.svg").write_bytes(damaged)
            try:
                assert read_prompts([str(tmp_path / "m.svg")], INFO).first.shape == (HEIGHT, WIDTH)
            except MaskError as error:
                said.append(str(error))
    assert said
    assert not [each for each in said if "\n" in each]
