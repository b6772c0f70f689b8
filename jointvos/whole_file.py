"""Writing files that are never seen half."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jointvos.errors import JointVOSError, OutputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A hidden name beside `path` to write a file under; it becomes `path` when the block ends.

    Until then, and for good where the block fails, what `path` held stays. The name is another one
    each time, so that threads and machines on one disk never write into the same file; and the file
    is on the disk before it is renamed, so that a power cut leaves the old one or the new one.

    Raises:
        OutputError: It cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except JointVOSError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        # Gone already after success; where it never came to be, this fails as well.
        with suppress(OSError):
            partial.unlink()
