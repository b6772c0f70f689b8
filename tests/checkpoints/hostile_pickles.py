"""Calls in pickles, and small plain pickles that would fill the memory."""

from pathlib import Path
from typing import Any


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.call


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def more_than_the_file(_: Path) -> bytes:
    """The same bytes as many arrays."""
    start = b"\x80\x02U\xfa" + 250 * b"x" + b"q\x000}("
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01K\xfa\x85"
        b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNK\x00K\x00K\x00tb\x89h\x00tb"
    )
    return start + b"".join(b"K" + bytes([i]) + array for i in range(9)) + b"u." + bytes(10)


def roomy(_: Path) -> bytes:
    """A value is to be remembered under a high number: an unpickler makes room for all before."""
    return b"\x80\x02Nr" + (1 << 27).to_bytes(4, "little") + b"."


def dicts(_: Path) -> bytes:
    """Many names for one dict of many names."""
    names = [text(str(number)) for number in range(6000)]
    inner = b"}q\x00(" + b"".join(name + b"N" for name in names) + b"u"
    return b"\x80\x02}(" + names[-1] + inner + b"".join(name + b"h\x00" for name in names) + b"u."


def pairs(_: Path) -> bytes:
    """Many OrderedDicts of one list of many pairs."""
    inner = b"](" + b"".join(text(str(number)) + b"N\x86" for number in range(5000)) + b"eq\x00"
    copy = b"h\x01h\x00\x85R"
    start = b"\x80\x02ccollections\nOrderedDict\nq\x010" + inner + b"0"
    return start + b"}" + text("a") + b"](" + 5000 * copy + b"es."


def codings(_: Path) -> bytes:
    """One text, encoded many times."""
    start = b"\x80\x02" + text(2_000_000 * "x") + b"q\x000c_codecs\nencode\nq\x010"
    copy = b"h\x01h\x00U\x06latin1\x86R"
    return start + b"}" + text("a") + b"](" + 1000 * copy + b"es."
