"""One file over HTTP into a folder, whole or not at all.

What is done here is what no library does for us: going on after an interruption, telling pages
from files, and saying in one line what went wrong.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Protocol

from jointvos.checkpoints.file_kind import is_web_page
from jointvos.checkpoints.partial import Partial, begin, storage_error
from jointvos.checkpoints.web_page import read_page
from jointvos.errors import WeightsError
from jointvos.web import (
    Answer,
    Failed,
    Interrupted,
    Patience,
    answer_to,
    chunks_of,
    content_range,
    host,
    length_of,
    next_try,
    tag_of,
)

PROGRESS = 1 << 20
"""Bytes after which an attempt counts as a new first one."""
LARGEST = 4 << 30
"""Bytes that are taken of a file whose size nobody tells."""
LARGEST_PAGE = 1 << 20


class Watch(Protocol):
    """Told what happens."""

    def note(self, text: str) -> None:
        """Something people may want to know."""

    def progress(self, done: int, total: int | None) -> None:
        """Bytes that are there, of so many."""


class Unfetchable(WeightsError):
    """No address gives the file."""


def fetch(
    addresses: Sequence[str],
    folder: Path,
    watch: Watch,
    *,
    size: int | None = None,
    patience: Patience | None = None,
) -> tuple[Path, str]:
    """Fetch a file from the first address that gives it.

    Args:
        addresses: Tried in turn.
        folder: Where it is made, and where an interrupted attempt leaves what it got.
        watch: Told what happens.
        size: Bytes the file must have, if that is known.
        patience: How long to wait and how often to try.

    Returns:
        The file, under a unique name in the folder, and its address.

    Raises:
        Unfetchable: No address gives the file.
        WeightsError: The folder cannot be written.
    """
    reasons = []
    for address in addresses:
        transfer = _Transfer(address, folder, watch, size, patience or Patience())
        try:
            return transfer.run(), address
        except Failed as error:
            reasons.append(f"{host(address)}: {error}")
        except OSError as error:
            raise storage_error(folder, error) from error
    raise Unfetchable("; ".join(dict.fromkeys(reasons)))


@dataclass
class _Transfer:
    address: str
    folder: Path
    watch: Watch
    size: int | None
    patience: Patience
    partial: Partial = field(init=False)
    url: str = field(init=False)
    confirmed: bool = False

    def run(self) -> Path:
        self.url = self.address
        self.partial = begin(self.folder, self.address)
        try:
            self._attempt_until_complete()
            self.partial.sync()
        finally:
            if not self.partial.size:
                self.partial.drop()  # there is nothing to go on with
        return self.partial.path

    def _attempt_until_complete(self) -> None:
        retry, before = self.patience.retry, self.partial.size
        while not self.partial.is_complete:
            try:
                self._attempt()
            except Interrupted as interruption:
                if self.partial.size >= before + PROGRESS:
                    retry = self.patience.retry
                before = self.partial.size
                retry, wait_s = next_try(retry, interruption)
                soon = f" in {wait_s:.0f} s" if wait_s else ""
                self.watch.note(f"{host(self.url)}: {interruption}; trying again{soon}")
                time.sleep(wait_s)

    def _attempt(self) -> None:
        """One answer of the server, up to the end of the file."""
        have = self.partial.size
        with answer_to(self.url, self._wanted(have), self.patience) as response:
            self._receive(response, have)

    def _wanted(self, have: int) -> dict[str, str]:
        if not have:
            return {}
        tag = self.partial.tag
        return {"Range": f"bytes={have}-"} | ({"If-Range": tag} if tag else {})

    def _receive(self, response: Answer, have: int) -> None:
        self._check_status(response, have)
        chunks = chunks_of(response)
        first = next(chunks, b"")
        if _is_page(response, first):
            self._follow_page(response, first, chunks)
            return
        self._prepare(response, have)
        total = self.partial.total
        limit = total if total is not None else self.size or LARGEST
        done = self.partial.size
        with self.partial.path.open("ab") as file:
            for chunk in chain((first,), chunks):
                done += len(chunk)
                if done > limit:
                    break
                file.write(chunk)
                self.watch.progress(done, total)
        if done > limit:
            self.partial.drop()
            raise Failed(f"it sends more than {limit} bytes")
        if total is not None and done < total:
            raise Interrupted(f"the connection was cut after {done} of {total} bytes")
        if self.size is not None and done != self.size:
            self.partial.drop()
            raise Failed(f"it sent {done} bytes, the file has {self.size}")
        if not done:
            raise Failed("it sent an empty file")
        self.partial.total = done

    def _check_status(self, response: Answer, have: int) -> None:
        """Let pass what brings content: the whole file, or the part asked for."""
        status = response.status
        if status == HTTPStatus.OK or (status == HTTPStatus.PARTIAL_CONTENT and have):
            return
        if have and status in (
            HTTPStatus.PRECONDITION_FAILED,
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        ):
            self.partial.restart(None, None)
            raise Interrupted("the earlier partial download no longer fits")
        said = f"it answers {status} {response.reason or ''}".rstrip()
        if self.patience.retry.is_retry("GET", status):
            raise Interrupted(said, response)
        raise Failed(said)

    def _follow_page(self, response: Answer, first: bytes, rest: Iterator[bytes]) -> None:
        """Go where Google Drive's button leads, once; any other page is an answer of its own."""
        content = first
        while len(content) < LARGEST_PAGE and (chunk := next(rest, b"")):
            content += chunk
        page = read_page(content, response.url or self.url)
        if page.confirmation is None or self.confirmed:
            raise Failed(page.reason)
        self.confirmed = True
        self.url = page.confirmation

    def _prepare(self, response: Answer, have: int) -> None:
        """Make the partial file fit the answer: go on, or start over; and see if there is room."""
        tag, total = tag_of(response), length_of(response)
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            start, total = content_range(response)
            same_tag = tag is None or self.partial.tag in (None, tag)
            if start != have or not same_tag or self.partial.total not in (None, total):
                self.partial.restart(None, None)
                raise Interrupted("it sends another part, or the file has changed")
            self.partial.total = total
        else:
            if have:
                self.watch.note(f"{host(self.url)} sends the file from its start again")
            self.partial.restart(tag, total)
        if total is not None and self.size is not None and total != self.size:
            self.partial.drop()
            raise Failed(f"it offers {total} bytes, the file has {self.size}")
        need = (total or 0) - self.partial.size
        if need > (free := shutil.disk_usage(self.folder).free):
            raise WeightsError(
                f"{self.folder} has room for {free} bytes, {need} are needed",
                hint="free some space, or choose another folder with `folder` or JOINTVOS_CACHE",
            )


def _is_page(response: Answer, first: bytes) -> bool:
    """By what it begins with; a declared type alone will do only for what looks like a text."""
    declared = response.headers.get("Content-Type", "").lower().startswith("text/html")
    begins_so = response.status == HTTPStatus.OK and is_web_page(first)
    return begins_so or (declared and b"\0" not in first)
