"""The server behind `jointvos paint`."""

import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import uvicorn

from jointvos.errors import ConfigError
from jointvos.masks import MaskFile, MaskPrompts, read_prompts
from jointvos.media.reading import open_finder
from jointvos.paint.app import Page
from jointvos.paint.export import Exporter, job_of
from jointvos.paint.feed import Feed
from jointvos.paint.follow import Follower
from jointvos.paint.project import LARGEST_ID, Project
from jointvos.runs import Outputs, SegmentJob, SessionSpec

HOST = "127.0.0.1"


class PaintServer:
    """Shows a video as a page to paint on; a context manager that closes all that it opened.

    Attributes:
        project: Where everything is kept.
        address: Of the page, with its secret token.
        command: What goes on with the masks, once the user is done and has painted something.
    """

    def __init__(
        self,
        source: Path,
        spec: SessionSpec,
        *,
        masks: Sequence[str] = (),
        first_mask: MaskFile | None = None,
        port: int = 0,
        command: Callable[[SegmentJob], str] = str,
    ) -> None:
        """Open the video and its project and take a port.

        Args:
            source: A video file, or a folder or a pattern of images.
            spec: Which model follows, and how.
            masks: "FILE" for the first frame or "FRAME=FILE", to begin with.
            first_mask: Where the first mask goes when the user is done.
            port: Of 127.0.0.1; 0 for any that is free.
            command: Words a job as the command that the page shows at the end.

        Raises:
            MediaError: The video cannot be used.
            MaskError: A mask cannot be used.
            ConfigError: The project is open already or holds a mask for a frame of `masks`, or the
                port is taken.
            OutputError: The project cannot be kept.
        """
        self._source, self._spec, self._first_mask = source, spec, first_mask
        self.command: str | None = None
        self._command = command
        with ExitStack() as stack:
            self._frames = open_finder(source)
            stack.callback(self._frames.close)
            given = self._read(masks)
            self.project = stack.enter_context(Project(self._frames))
            self._take(given)
            self._socket = stack.enter_context(_bound(port))
            self._feed = Feed()
            self._follower = Follower(self._frames, self.project, spec, self._feed.say)
            stack.callback(self._follower.close)
            self._exporter = Exporter(source, self._frames, self.project, spec, self._feed.say)
            stack.callback(self._exporter.cancel)
            self._closing = stack.pop_all()
        page = Page(
            *(self._frames, self.project, self._follower, self._exporter, self._feed), self._end
        )
        token = secrets.token_urlsafe(24)
        port = self._socket.getsockname()[1]
        self.address = f"http://{HOST}:{port}/{token}/"
        self._server = _Server(
            self._feed,
            uvicorn.Config(
                page.app(token, {f"{HOST}:{port}", f"localhost:{port}"}),
                log_level="error",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=2,
            ),
        )

    def __enter__(self) -> "PaintServer":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.close()

    def serve(self) -> None:
        """Answer until the user is done.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        self._server.run(sockets=[self._socket])

    def _end(self) -> str | None:
        """Write the first mask, if that is wanted, and end the server; returns the command."""
        if painted := self.project.painted():
            if self._first_mask is not None:
                labels = self.project.given(painted[0])
                assert labels is not None
                self._first_mask.save(labels)
            job = job_of(self.project, self._source, self._spec, Outputs())
            self.command = self._command(job)
        self._feed.close()
        self._server.should_exit = True
        return self.command

    def _read(self, masks: Sequence[str]) -> MaskPrompts | None:
        """The masks in files, before there is a project."""
        if not masks:
            return None
        prompts = read_prompts(masks, self._frames.info)
        if (largest := max(prompts.ids)) > LARGEST_ID:
            raise ConfigError(
                f"the masks hold the ID {largest}; pages have IDs up to {LARGEST_ID}",
                hint="renumber it, or use jointvos segment, which takes larger ones",
            )
        for prompt in prompts.all:
            if prompt.place is not None and prompt.place.frame is None:
                raise ConfigError(f"{prompt}: expected a frame number, such as 120=mask.png")
        return prompts

    def _take(self, prompts: MaskPrompts | None) -> None:
        """Put masks into the project."""
        for prompt in prompts.all if prompts is not None else ():
            index = 0 if prompt.place is None else prompt.place.frame
            assert index is not None
            if self.project.given(index) is not None:
                raise ConfigError(
                    f"{self.project.folder} already has a mask for frame {index}",
                    hint="leave out `masks`",
                )
            self.project.paint(index, prompt.labels, prompt.ids)
        if prompts is not None:
            self.project.rename(prompts.names)


class _Server(uvicorn.Server):
    """Ends the streams of events when a signal ends it, which would keep it waiting."""

    def __init__(self, feed: Feed, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._feed = feed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._feed.close()
        super().handle_exit(sig, frame)


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()  # from here on browsers may call
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"port {port} cannot be used ({error.strerror})", hint="leave out `port`"
        ) from error
    return listener
