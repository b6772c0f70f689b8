"""What a file seems to be by its first bytes, for messages about files that are no model."""

from pathlib import Path

from jointvos.errors import IncompatibleWeights, WeightsError, os_errors_as

HEAD = 512
ZIP = b"PK\x03\x04"
LEGACY_TORCH = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
CHECKPOINT = "a PyTorch checkpoint"
SAFETENSORS = "a safetensors file"
PICKLE = "a Python pickle"
WEB_PAGE = "a web page, not a model"
EMPTY = "empty"


def is_web_page(head: bytes) -> bool:
    """Whether a file that begins so is HTML or XML."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<!--"))


def kind_of(path: Path) -> str:
    """One of a few kinds, in words that follow "is".

    Raises:
        WeightsError: The file cannot be read, or is a folder.
    """
    with os_errors_as(WeightsError, f"{path} cannot be read"), path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return EMPTY
    if is_web_page(head):
        return WEB_PAGE
    if head.startswith((ZIP, LEGACY_TORCH)):
        return CHECKPOINT
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head[8:9] == b"{":
        return SAFETENSORS
    if head[:1] == b"\x80":
        return PICKLE
    return "of an unknown kind"


def refuse(path: Path, kind: str, expected: str) -> IncompatibleWeights:
    """The error for a file of another kind than the one expected."""
    if kind in (WEB_PAGE, EMPTY):
        hint = "download it again with a browser and look at what was saved"
    elif kind == CHECKPOINT:
        hint = f"install it with `jointvos.checkpoints.install(NAME, source={str(path)!r})`"
    elif kind == SAFETENSORS:
        hint = f"use a jointvos model directly, with `weights={str(path)!r}`"
    else:
        hint = ""
    return IncompatibleWeights(f"{path} is {kind}; expected {expected}", hint=hint)


def listing(names: list[str], shown: int = 3) -> str:
    """A few names, quoted so that they stay on one line, and how many there are besides."""
    text = ", ".join(repr(name[:80]) for name in names[:shown])
    return f"{text} and {len(names) - shown} more" if len(names) > shown else text
