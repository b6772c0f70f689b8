"""What a terminal would show."""

import io


class Terminal(io.StringIO):
    """In place of stdout or stderr (see `contextlib.redirect_stdout`)."""

    def isatty(self) -> bool:
        return True
