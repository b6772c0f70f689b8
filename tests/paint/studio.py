"""A project with its page, without a server around it."""

import contextlib
import json
import queue
import threading
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from jointvos.media.reading import open_finder
from jointvos.paint.app import Page
from jointvos.paint.export import Exporter
from jointvos.paint.follow import Follower
from jointvos.paint.project import Project
from jointvos.paint.transport import pack_labels, unpack_labels
from jointvos.runs import SessionSpec

SIZE = (96, 128)
"""Height and width of the clip."""
FRAMES = 20
CUT = 14
"""Where a new shot begins."""
TOKEN = "secret"
HOST = "127.0.0.1:8000"


def square(frame: int = 0, id: int = 1) -> np.ndarray:
    """The mask of the first square."""
    mask = np.zeros(SIZE, np.uint8)
    mask[30:60, 10 + 2 * frame : 40 + 2 * frame] = id
    return mask


class Studio:
    """A project with its page, and what the page was told."""

    def __init__(self, clip: Path, spec: SessionSpec) -> None:
        self.clip, self.spec = clip, spec
        self.told: list[dict[str, Any]] = []
        self._news: queue.Queue[dict[str, Any]] = queue.Queue()
        self.finished = threading.Event()

    def __enter__(self) -> "Studio":
        with contextlib.ExitStack() as stack:
            self.frames = open_finder(self.clip)
            stack.callback(self.frames.close)
            self.project = stack.enter_context(Project(self.frames))
            self.follower = Follower(self.frames, self.project, self.spec, self._hear)
            stack.callback(self.follower.close)
            self.exporter = Exporter(self.clip, self.frames, self.project, self.spec, self._hear)
            stack.callback(self.exporter.cancel)
            self._stack = stack.pop_all()
        page = Page(
            *(self.frames, self.project, self.follower, self.exporter, self),
            lambda: self.finished.set(),
        )
        self.client = TestClient(
            page.app(TOKEN, {HOST}),
            base_url=f"http://{HOST}/{TOKEN}/",
            headers={"origin": f"http://{HOST}"},
        )
        self.client.headers["x-tab"] = self.client.post("tab").json()["tab"]
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def _hear(self, event: dict[str, Any]) -> None:
        json.dumps(event)
        self.told.append(event)
        self._news.put(event)

    say = _hear

    def until(self, kind: str, seconds: float = 60) -> dict[str, Any]:
        """Wait for the next event of that kind."""
        while True:
            event = self._news.get(timeout=seconds)
            if event["kind"] == kind:
                return event

    def follow(self, way: str = "forward") -> dict[str, Any]:
        """Follow to the end."""
        assert self.client.post("follow", json={"way": way}).status_code == 200
        return self.until("paused")

    def paint(self, index: int, labels: np.ndarray, given: str = "1") -> None:
        answer = self.client.put(f"mask/{index}?given={given}", content=pack_labels(labels))
        assert answer.status_code == 200, answer.text

    def mask(self, index: int) -> np.ndarray:
        return unpack_labels(self.client.get(f"mask/{index}").content, *SIZE)
