"""SVG of drawing programs (Inkscape, Illustrator, Figma): an object per layer, group or shape.

Shapes are filled, whatever their colors and strokes. In a drawing with a single layer that has no
name of its own, everything in it is an object.
"""

import logging
import re
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from jointvos.errors import MaskReadError
from jointvos.masks.formats.entry import Entry, Shape
from jointvos.masks.formats.polygon import fill_path
from jointvos.types import VideoInfo

_log = logging.getLogger("jointvos.masks")

Matrix: TypeAlias = NDArray[np.float64]
"""From the coordinates of an element to pixels, [3,3]."""

_GROUPS = ("g", "a", "switch")
_SHAPES = ("path", "polygon", "polyline", "rect", "circle", "ellipse")
_LEFT_OUT = ("text", "use", "line", "svg")
_LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"
_DEFAULT_NAME = re.compile(
    r"(g|group|frame|vector|shape|rectangle|path|polygon|polyline|rect|circle|ellipse|layer|ebene|"
    r"calque|capa|camada|livello|laag|lager|warstwa|слой|图层|レイヤー)[\s_-]*\d*",
    re.IGNORECASE,
)
"""What programs call things that nobody has named, such as "Layer 1" and "path836"."""
_ENCODED = re.compile(r"_x([0-9A-Fa-f]{2,4})_")
"""A character that Illustrator does not write into an ID."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_LENGTH = re.compile(rf"\s*({_NUMBER.pattern})\s*(px|pt|pc|mm|cm|in|)\s*")
_UNITS = {"": 1, "px": 1, "pt": 96 / 72, "pc": 16, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96}
_STEP = re.compile(r"(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^)]*)\)")


@dataclass(frozen=True)
class _Piece:
    """An element with what it has of those around it."""

    element: Element
    matrix: Matrix
    even_odd: bool

    @property
    def kind(self) -> str:
        return _kind(self.element)

    @property
    def label(self) -> str:
        """The name that the user has given, "" for none."""
        title = next((each.text for each in self.element if _kind(each) == "title"), None)
        for name in (self.element.get(_LABEL), title, self.element.get("id")):
            named = _ENCODED.sub(lambda code: chr(int(code[1], 16)), name or "").strip()
            if named and not _DEFAULT_NAME.fullmatch(named):
                return named
        return ""

    def shown(self) -> "Iterator[_Piece]":
        """The elements in it that are not hidden."""
        for each in self.element:
            if _style(each, "display") == "none" or _style(each, "visibility") == "hidden":
                continue
            rule = _style(each, "fill-rule")
            even_odd = self.even_odd if rule is None else rule == "evenodd"
            yield _Piece(each, self.matrix @ _transform(each), even_odd)

    def parts(self, kinds: Container[str] = _SHAPES) -> "Iterator[_Piece]":
        """All that is shown of these kinds: itself, or what is in it."""
        if self.kind in kinds:
            yield self
        elif self.kind in _GROUPS:
            for each in self.shown():
                yield from each.parts(kinds)

    def children(self) -> "list[_Piece]":
        """The shapes in it that are shown, and groups with such."""
        return [each for each in self.shown() if any(each.parts())]


def read_svg(path: Path, info: VideoInfo) -> list[Entry]:
    """The drawing, in the size of the video if it has its shape.

    Raises:
        BROKEN: The file is damaged.
        MaskReadError: It is no SVG, or declares entities.
    """
    root = _parsed(path)
    left, top, width, height = _view(root)
    size = (round(width), round(height))
    if abs(width * info.height / height - info.width) <= 1:
        size = (info.width, info.height)
    x, y = size[0] / width, size[1] / height
    to_pixels = np.array([(x, 0, -left * x), (0, y, -top * y), (0, 0, 1)])

    def read() -> list[Shape]:
        drawing = _Piece(root, to_pixels, even_odd=False)
        _warn(drawing, path)
        return [
            Shape(_filled(piece, size), name=name, key=name or piece.element.get("id", ""))
            for piece, name in _objects(drawing)
        ]

    return [Entry(size, read, image=path.stem)]


def _parsed(path: Path) -> Element:
    content = path.read_bytes()

    def refuse(*_: object) -> None:
        raise MaskReadError(f"{path} declares entities, which are not expanded; save as plain SVG")

    checker = expat.ParserCreate()
    checker.EntityDeclHandler = refuse  # a few lines of them would fill the memory
    try:
        checker.Parse(content, True)
        root = ElementTree.fromstring(content)
    except (expat.ExpatError, ElementTree.ParseError) as error:
        raise MaskReadError(f"{path} is no SVG: {error}") from error
    if _kind(root) != "svg":
        raise MaskReadError(f"{path} is no SVG: it is XML that begins with <{_kind(root)}>")
    return root


def _objects(drawing: _Piece) -> list[tuple[_Piece, str]]:
    """The layers, groups or shapes that are objects, and their names."""
    found, name = drawing.children(), ""
    while len(found) == 1 and found[0].kind in _GROUPS:
        name = found[0].label or name
        inside = found[0].children()
        if name and len(inside) > 1:
            break  # these are the parts of one object
        found = inside
    return [(piece, piece.label or (name if len(found) == 1 else "")) for piece in found]


def _view(root: Element) -> tuple[float, float, float, float]:
    """What is shown of the drawing, in its coordinates: left, top, width, height."""
    if box := root.get("viewBox"):
        if len(numbers := list(map(float, _NUMBER.findall(box)))) != 4:
            raise ValueError(f"its viewBox is {box[:40]!r}, expected four numbers")
        left, top, width, height = numbers
    else:
        left = top = 0.0
        width, height = (_length(root.get(name, "")) for name in ("width", "height"))
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise ValueError(f"it is {width:g}x{height:g}, expected a size of pixels")
    return left, top, width, height


def _filled(object: _Piece, size: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(size[::-1], dtype=np.bool_)
    for piece in object.parts():
        mask |= fill_path(_outlines(piece), size, even_odd=piece.even_odd)
    return mask


def _outlines(piece: _Piece) -> list[NDArray[np.float64]]:
    """The closed outlines of a shape, x and y of the corners in pixels, [N,2] each."""
    element, scale = piece.element, float(np.sqrt(abs(np.linalg.det(piece.matrix[:2, :2]))))
    if piece.kind == "path":
        outlines = _of_path(element.get("d", ""), scale)
    elif piece.kind in ("polygon", "polyline"):
        numbers = list(map(float, _NUMBER.findall(element.get("points", ""))))
        outlines = [np.array(numbers[: len(numbers) // 2 * 2]).reshape(-1, 2)]
    elif piece.kind == "rect":
        x, y, width, height = (_length(element.get(n, "0")) for n in ("x", "y", "width", "height"))
        rx = _length(element.get("rx", element.get("ry", "0")))
        ry = _length(element.get("ry", element.get("rx", "0")))
        outlines = [_round_rectangle(x, y, width, height, rx, ry)]
    else:
        cx, cy, r = (_length(element.get(name, "0")) for name in ("cx", "cy", "r"))
        rx, ry = (_length(element.get(name, str(r))) for name in ("rx", "ry"))
        outlines = [_round_rectangle(cx - rx, cy - ry, 2 * rx, 2 * ry, rx, ry)]
    return [each @ piece.matrix[:2, :2].T + piece.matrix[:2, 2] for each in outlines]


def _of_path(text: str, scale: float) -> list[NDArray[np.float64]]:
    # Here, so that another package called "svg" breaks nothing else.
    from svg.path import Arc, CubicBezier, Move, QuadraticBezier, parse_path

    try:
        segments = parse_path(text)
    except AssertionError as error:  # it takes for granted that flags of arcs are 0 or 1
        raise ValueError(f"the path {text[:40]!r} is broken") from error
    outlines: list[list[complex]] = []
    for segment in segments:
        if isinstance(segment, Move) or not outlines:
            outlines.append([segment.end])
        elif isinstance(segment, Arc) and segment.radius.real and segment.radius.imag:
            reach = abs(segment.radius) + abs(segment.end - segment.start)
            outlines[-1] += map(segment.point, _steps(reach * scale))
        elif isinstance(segment, CubicBezier):
            a, b, c, d = segment.start, segment.control1, segment.control2, segment.end
            t = _steps((abs(b - a) + abs(c - b) + abs(d - c)) * scale)
            u = 1 - t
            outlines[-1] += (u**3 * a + 3 * u * u * t * b + 3 * u * t * t * c + t**3 * d).tolist()
        elif isinstance(segment, QuadraticBezier):
            a, b, c = segment.start, segment.control, segment.end
            t = _steps((abs(b - a) + abs(c - b)) * scale)
            u = 1 - t
            outlines[-1] += (u * u * a + 2 * u * t * b + t * t * c).tolist()
        else:
            outlines[-1].append(segment.end)
    return [
        np.array(each, dtype=np.complex128).view(np.float64).reshape(-1, 2) for each in outlines
    ]


def _steps(length: float) -> NDArray[np.float64]:
    """Places on a curve of so many pixels, dense enough that chords keep to a tenth of a pixel."""
    return np.linspace(0, 1, int(np.clip(3 * np.sqrt(length), 4, 256)) + 1)[1:]


def _round_rectangle(
    x: float, y: float, width: float, height: float, rx: float, ry: float
) -> NDArray[np.float64]:
    rx, ry = min(rx, width / 2), min(ry, height / 2)
    quarter = np.linspace(0, np.pi / 2, 65 if rx > 0 and ry > 0 else 1)
    places = [(x + width - rx, y + height - ry), (x + rx, y + height - ry), (x + rx, y + ry)]
    places.append((x + width - rx, y + ry))
    corners = [
        np.stack([cx + rx * np.cos(quarter + turn), cy + ry * np.sin(quarter + turn)], axis=1)
        for (cx, cy), turn in zip(places, np.pi / 2 * np.arange(4), strict=True)
    ]
    return np.concatenate(corners)


def _transform(element: Element) -> Matrix:
    """From the coordinates of an element to those of what it is in."""
    text = element.get("transform", "")
    if _STEP.sub("", text).strip(", \t\r\n"):
        raise ValueError(f"the transform {text[:60]!r} is not understood")
    matrix = np.eye(3)
    for kind, values in _STEP.findall(text):
        matrix = matrix @ _of_step(kind, list(map(float, _NUMBER.findall(values))))
    return matrix


def _of_step(kind: str, values: list[float]) -> Matrix:
    a, b, c, d, e, f = 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
    match kind, values:
        case "matrix", [_, _, _, _, _, _]:
            a, b, c, d, e, f = values
        case "translate", [e, *rest] if len(rest) < 2:
            f = rest[0] if rest else 0.0
        case "scale", [a, *rest] if len(rest) < 2:
            d = rest[0] if rest else a
        case "rotate", [degrees]:
            a = d = np.cos(np.deg2rad(degrees))
            b = np.sin(np.deg2rad(degrees))
            c = -b
        case "rotate", [degrees, x, y]:
            turn = _of_step("rotate", [degrees])
            return _of_step("translate", [x, y]) @ turn @ _of_step("translate", [-x, -y])
        case "skewX", [degrees]:
            c = np.tan(np.deg2rad(degrees))
        case "skewY", [degrees]:
            b = np.tan(np.deg2rad(degrees))
        case _:
            raise ValueError(f"the transform {kind} has {len(values)} numbers")
    return np.array([(a, c, e), (b, d, f), (0, 0, 1)])


def _warn(drawing: _Piece, path: Path) -> None:
    """Say what is shown but cannot be filled."""
    kinds = Counter(part.kind for each in drawing.shown() for part in each.parts(_LEFT_OUT))
    if kinds:
        found = ", ".join(f"{count} <{kind}>" for kind, count in kinds.items())
        _log.warning("%s: left out %s; convert what is missing to paths", path, found)


def _kind(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _style(element: Element, name: str) -> str | None:
    """A property, from `style` or as an attribute."""
    for each in element.get("style", "").split(";"):
        key, _, value = each.partition(":")
        if key.strip() == name:
            return value.strip()
    return element.get(name)


def _length(text: str) -> float:
    """In pixels of 96 to the inch."""
    if (found := _LENGTH.fullmatch(text)) is None:
        raise ValueError(f"{text[:40]!r} is no length, such as 640, 640px or 169.33mm")
    return float(found[1]) * _UNITS[found[2]]
