"""What the page is told: what happens in threads, as server-sent events, and errors."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from jointvos.errors import JointVOSError, OutputExists

_WAITING = 2000
"""Events that may wait for a page that does not read; then it has to ask for the state anew."""

_PING_S = 10.0


def in_words(error: JointVOSError) -> str:
    """What the page shows of an error: parameters of the library mean nothing there."""
    hint = error.hint
    if isinstance(error, OutputExists):
        hint = "tick \u201cReplace files that exist\u201d, or choose another name"
    return error.message if not hint or "`" in hint else f"{error.message}; {hint}"


class Feed:
    """Hands events to all pages that listen."""

    def __init__(self) -> None:
        """Without listeners."""
        self._listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[str | None]]] = []

    def say(self, event: dict[str, Any]) -> None:
        """Tell all listeners; for any thread."""
        self._put(f"data: {json.dumps(event)}\n\n")

    def close(self) -> None:
        """End all streams; for any thread."""
        self._put(None)

    async def listen(self) -> AsyncIterator[str]:
        """Events from now on, as they go over the wire."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(_WAITING)
        listener = (asyncio.get_running_loop(), queue)
        self._listeners.append(listener)
        try:
            yield 'data: {"kind": "hello"}\n\n'
            while True:
                try:
                    text = await asyncio.wait_for(queue.get(), _PING_S)
                except TimeoutError:
                    text = ": still here\n\n"
                if text is None:
                    return
                yield text
        finally:
            self._listeners.remove(listener)

    def _put(self, text: str | None) -> None:
        for loop, queue in list(self._listeners):
            if not loop.is_closed():
                loop.call_soon_threadsafe(_add, queue, text)


def _add(queue: "asyncio.Queue[str | None]", text: str | None) -> None:
    if queue.full():  # drop the stream: the page connects again and asks for the state
        while not queue.empty():
            queue.get_nowait()
        text = None
    queue.put_nowait(text)
