"""`jointvos paint`: masks made, followed and corrected in the browser; knows no terminal.

`Project` keeps everything in a folder beside the video, `Follower` runs the session of `segment` in
a thread, `Exporter` writes outputs, and `PaintServer` shows all of that as a page on 127.0.0.1.
"""

from jointvos.paint.project import Project
from jointvos.paint.server import PaintServer

__all__ = ["PaintServer", "Project"]
