"""What the page can ask for; every route of the server."""

import json
import secrets
from collections.abc import Callable, Collection
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from jointvos.errors import ConfigError, JointVOSError
from jointvos.masks import DISPLAY_COLORS, Region
from jointvos.media.reading import FrameFinder, NoSuchFrame
from jointvos.paint.cutting import Cutter
from jointvos.paint.export import Exporter
from jointvos.paint.feed import Feed, in_words
from jointvos.paint.follow import Follower
from jointvos.paint.followed import Certainty
from jointvos.paint.guard import Guard
from jointvos.paint.project import LARGEST_ID, Project
from jointvos.paint.project_file import PaintedObject, shown_name
from jointvos.paint.transport import pack_labels, unpack_labels

_QUALITY = 92
_KEEP = "private, max-age=86400, immutable"  # under this token a frame never changes

Answer = TypeVar("Answer")


class Page:
    """Everything that the page works with, and the routes to it.

    Attributes:
        done: Called when the user is done; returns the command that goes on.
    """

    def __init__(
        self,
        frames: FrameFinder,
        project: Project,
        follower: Follower,
        exporter: Exporter,
        feed: Feed,
        done: Callable[[], str | None],
    ) -> None:
        """Put the parts together."""
        self._frames, self._project, self._feed = frames, project, feed
        self._follower, self._exporter = follower, exporter
        self._cutter = Cutter(frames)
        self.done = done
        self._tab = ""

    def app(self, token: str, hosts: Collection[str]) -> ASGIApp:
        """The guarded app.

        Args:
            token: The first part of all paths.
            hosts: With ports, as browsers write them into requests.
        """
        static = Path(str(files("jointvos.paint") / "static"))
        routes = [
            Route("/", _index(static)),
            Mount("/static", StaticFiles(directory=static)),
            Route("/state", self._state),
            Route("/events", self._events),
            Route("/frame/{index:int}", self._frame),
            Route("/mask/{index:int}", self._mask),
            Route("/mask/{index:int}", self._changing(self._paint), methods=["PUT"]),
            Route("/mask/{index:int}", self._changing(self._clear), methods=["DELETE"]),
            Route("/objects", self._changing(self._set_objects), methods=["PUT"]),
            Route("/objects/{id:int}", self._changing(self._remove_object), methods=["DELETE"]),
            Route("/box/{index:int}", self._changing(self._box), methods=["POST"]),
            Route("/points/{index:int}", self._changing(self._points), methods=["POST"]),
            Route("/strokes/{index:int}", self._changing(self._strokes), methods=["POST"]),
            Route("/similar/{index:int}", self._changing(self._similar), methods=["POST"]),
            Route("/follow", self._changing(self._follow), methods=["POST"]),
            Route("/pause", self._changing(self._pause), methods=["POST"]),
            Route("/export", self._changing(self._export), methods=["POST"]),
            Route("/export", self._changing(self._cancel), methods=["DELETE"]),
            Route("/done", self._changing(self._done), methods=["POST"]),
            Route("/tab", self._take_over, methods=["POST"]),
        ]
        app = Starlette(
            routes=routes,
            exception_handlers={
                JointVOSError: _refused,
                NoSuchFrame: _missing,
                ClientDisconnect: _too_large,
            },
        )
        return Guard(app, token, hosts)

    async def _take_over(self, request: Request) -> Response:
        """Make the asking tab the one that may change things."""
        self._tab = secrets.token_hex(8)
        self._feed.say({"kind": "tab", "tab": self._tab})
        return JSONResponse({"tab": self._tab})

    def _changing(self, endpoint: "Callable[[Request], Any]") -> "Callable[[Request], Any]":
        """An endpoint for the tab alone that has taken over last."""

        async def checked(request: Request) -> Response:
            if request.headers.get("x-tab") != self._tab:
                return _error("this video is open in another tab, which has taken over", 409)
            answer: Response = await endpoint(request)
            return answer

        return checked

    async def _state(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self.state))

    def state(self) -> dict[str, Any]:
        """All that the page has to know at first."""
        info, followed = self._frames.info, self._project.followed
        count = self._frames.count
        certainty: dict[int, list[tuple[int, int, Certainty]]] = {}
        cuts = []
        for index, frame in sorted(followed.frames.items()):
            if frame.cut:
                cuts.append(index)
            for each in frame.objects:
                _extend(certainty.setdefault(each.id, []), index, each.certainty)
        return {
            "video": {
                "name": shown_name(self._frames.source),
                "width": info.width,
                "height": info.height,
                "fps": float(info.frame_rate),
                "frames": count or info.frame_count or 0,
                "exact": count is not None,
                "aspect": float(info.sample_aspect_ratio),
            },
            "folder": str(self._project.folder),
            "colors": ["#" + bytes(c).hex() for c in DISPLAY_COLORS[: LARGEST_ID + 1]],
            "certainty": certainty,
            "cuts": cuts,
            "following": self._follower.way,
            "exporting": self._exporter.busy,
            "export": {"folder": str(self._exporter.folder), "names": self._exporter.names()},
            **self._painted(),
        }

    def _painted(self) -> dict[str, Any]:
        """What may be another after every change."""
        project = self._project
        return {
            "objects": [vars(each) for each in project.objects],
            "painted": {index: project.given_ids(index) for index in project.painted()},
            "done": dict(project.done),
        }

    async def _events(self, request: Request) -> Response:
        headers = {"cache-control": "no-store"}
        return StreamingResponse(self._feed.listen(), 200, headers, "text/event-stream")

    async def _frame(self, request: Request) -> Response:
        def encoded() -> tuple[bytes, float]:
            frame, info = self._frames.at(request.path_params["index"]), self._frames.info
            quality = (cv2.IMWRITE_JPEG_QUALITY, _QUALITY)
            chroma = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
            bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
            content = cv2.imencode(".jpg", bgr, (*quality, *chroma))[1].tobytes()
            return content, float((frame.pts - info.first_pts) * info.time_base)

        content, time_s = await run_in_threadpool(encoded)
        headers = {"cache-control": _KEEP, "x-time": f"{time_s:.6f}"}
        return Response(content, 200, headers, "image/jpeg")

    async def _mask(self, request: Request) -> Response:
        index, project = request.path_params["index"], self._project
        runs = await run_in_threadpool(lambda: pack_labels(project.labels(index)))
        given = ",".join(map(str, project.given_ids(index)))
        headers = {"cache-control": "no-store", "x-given": given}
        return Response(runs, 200, headers, "application/octet-stream")

    async def _paint(self, request: Request) -> Response:
        index = await self._known(request)
        labels = unpack_labels(await request.body(), *self._project.size)
        try:
            given = [int(i) for i in request.query_params.get("given", "").split(",") if i]
        except ValueError:
            raise ConfigError("given is no list of IDs") from None
        return await self._changed(lambda: self._project.paint(index, labels, given))

    async def _clear(self, request: Request) -> Response:
        index = await self._known(request)
        return await self._changed(lambda: self._project.clear(index))

    async def _set_objects(self, request: Request) -> Response:
        try:
            objects = [
                PaintedObject(int(each["id"]), str(each["name"])[:80], bool(each["visible"]))
                for each in await _body(request)
            ]
        except (TypeError, KeyError, ValueError):
            raise ConfigError("expected a list of objects with ID, name and visible") from None
        return await self._changed(lambda: self._project.set_objects(objects))

    async def _remove_object(self, request: Request) -> Response:
        object_id = request.path_params["id"]
        return await self._changed(lambda: self._project.remove_object(object_id))

    async def _changed(self, change: Callable[[], None]) -> Response:
        """Make a change and tell what of the state came of it."""

        def made() -> dict[str, Any]:
            change()
            return self._painted()

        return JSONResponse(await run_in_threadpool(made))

    async def _box(self, request: Request) -> Response:
        index, body = await self._known(request), await _body(request)
        return await _region(lambda: self._cutter.box(index, body))

    async def _points(self, request: Request) -> Response:
        index, body = await self._known(request), await _body(request)
        return await _region(lambda: self._cutter.points(index, body))

    async def _strokes(self, request: Request) -> Response:
        index = await self._known(request)
        drawn = unpack_labels(await request.body(), *self._project.size)
        return await _region(lambda: self._cutter.strokes(index, drawn))

    async def _similar(self, request: Request) -> Response:
        index, body = await self._known(request), await _body(request)
        return await _region(lambda: self._cutter.similar(index, body))

    async def _follow(self, request: Request) -> Response:
        way = (await _body(request)).get("way")
        if way not in ("forward", "backward"):
            raise ConfigError(f"way is {way!r}, expected forward or backward")
        if self._exporter.busy:
            raise ConfigError("an export is running; wait for it or cancel it")
        return await self._started(lambda: self._follower.start(way))

    async def _pause(self, request: Request) -> Response:
        return await self._started(self._follower.pause)

    async def _export(self, request: Request) -> Response:
        body = await _body(request)
        chosen = body.get("files")
        if not isinstance(chosen, dict) or not all(isinstance(f, str) for f in chosen.values()):
            raise ConfigError("expected names of files")
        overwrite = bool(body.get("overwrite"))

        def start() -> None:
            self._follower.pause()
            self._exporter.start(chosen, overwrite=overwrite)

        return await self._started(start)

    async def _cancel(self, request: Request) -> Response:
        return await self._started(self._exporter.cancel)

    async def _started(self, start: Callable[[], None]) -> Response:
        await run_in_threadpool(start)
        return JSONResponse({"done": dict(self._project.done)})

    async def _done(self, request: Request) -> Response:
        def end() -> str | None:
            self._follower.pause()
            self._exporter.cancel()
            return self.done()

        return JSONResponse({"command": await run_in_threadpool(end)})

    async def _known(self, request: Request) -> int:
        """The frame that is asked for, if there is one."""
        index: int = request.path_params["index"]
        count = self._frames.count
        if count is None:
            await run_in_threadpool(self._frames.at, index)
        elif index >= count:
            raise NoSuchFrame(f"no frame {index}; the last one is {count - 1}")
        return index


def _index(static: Path) -> "Callable[[Request], Any]":
    async def index(request: Request) -> Response:
        page = (static / "index.html").read_bytes()
        return Response(page, 200, {"cache-control": "no-store"}, "text/html; charset=utf-8")

    return index


async def _region(find: Callable[[], Region]) -> Response:
    runs = await run_in_threadpool(lambda: pack_labels(find().astype(np.uint8)))
    return Response(runs, 200, {"cache-control": "no-store"}, "application/octet-stream")


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError:
        raise ConfigError("the request is no JSON") from None


def _extend(runs: list[tuple[int, int, Certainty]], index: int, certainty: Certainty) -> None:
    """Add a frame to runs of (first, count, certainty)."""
    if runs:
        first, count, last = runs[-1]
        if last == certainty and first + count == index:
            runs[-1] = (first, count + 1, last)
            return
    runs.append((index, 1, certainty))


def _error(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, JointVOSError)
    return _error(in_words(error), 422)


async def _missing(request: Request, error: Exception) -> Response:
    return _error(str(error), 404)


async def _too_large(request: Request, error: Exception) -> Response:
    return _error("the request is too large", 413)
