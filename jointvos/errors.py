"""Everything that can go wrong for a user, with the exit code of each kind.

::

    JointVOSError                       1   a bug if it is raised by itself
      ConfigError (ValueError)          2   an option or a configuration value is wrong
        OtherRun                              what was interrupted was another run
      MediaError                        3   a video or an image sequence
        MediaOpenError (OSError)
        MediaDecodeError
        UnsupportedMediaError (ValueError)
      MaskError (ValueError)            4   a mask given by the user
        MaskReadError
        MaskSizeMismatch
        EmptyMaskError
        TooManyObjects
        UnclearBackground
      WeightsError                      5   a model file
        WeightsNotFound (FileNotFoundError)
        IncompatibleWeights
      DatasetError                      6   a data set on disk
        DatasetNotFound (FileNotFoundError)
        SequenceIncomplete
      DeviceError (RuntimeError)        7   the compute device
        DeviceUnavailable
        OutOfDeviceMemory
      OutputError (OSError)             8   something that should be written
        OutputExists (FileExistsError)
        EncodeError
      IncompleteRun                     9   finished, but some sequences or videos failed
      TrainingError (RuntimeError)     10
        NonFiniteLoss
      TransferError (OSError)          11   a file behind a URL cannot be fetched or stored

Besides these a command ends with 0 (success), 1 (a bug), 2 (usage), 130 (Ctrl-C), 141 (the
reader of stdout went away) and 143 (SIGTERM). Leaves also inherit the natural builtin, so that
callers of the library need not import ours.

In one line a message says what, which value and what was expected, and its hint what to do.
Parameters stand in backticks, as a caller of the library writes them: `overwrite=True`. The
command line puts the options that stand for them in their place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class JointVOSError(Exception):
    """Base of all errors that jointvos raises on purpose.

    Attributes:
        message: What is wrong.
        hint: What to do about it; "" where the message tells all there is to tell.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ConfigError(JointVOSError, ValueError):
    """An option or a configuration value is unknown or out of range."""

    exit_code = 2


class OtherRun(ConfigError):
    """What was interrupted was a run with another input, model or settings."""


class MediaError(JointVOSError):
    """A video or an image sequence cannot be used."""

    exit_code = 3


class MediaOpenError(MediaError, OSError):
    """The input is missing, unreadable or no video at all."""


class MediaDecodeError(MediaError):
    """The input is damaged or ends early."""


class UnsupportedMediaError(MediaError, ValueError):
    """The input is sound but of a kind that is not handled."""


class MaskError(JointVOSError, ValueError):
    """A mask given by the user cannot be used.

    Attributes:
        mending: How `masks.examine_mask` mends it, for a sentence "it was ..."; "" if it cannot.
        path: The file of a mask that can be mended.
    """

    exit_code = 4
    mending: str = ""
    path: Path | None = None


class MaskReadError(MaskError):
    """The mask file is missing, damaged or of an unsupported kind."""


class MaskSizeMismatch(MaskError):
    """The mask and the video have different sizes."""


class EmptyMaskError(MaskError):
    """The mask selects no pixel."""


class TooManyObjects(MaskError):
    """The mask holds more IDs than make sense; usually it is anti-aliased."""


class UnclearBackground(MaskError):
    """The palette shows the background at another index than 0."""


class WeightsError(JointVOSError):
    """A model file cannot be used."""

    exit_code = 5


class WeightsNotFound(WeightsError, FileNotFoundError):
    """No model of that name or path is installed."""


class IncompatibleWeights(WeightsError):
    """The file does not hold the tensors that the network needs."""


class DatasetError(JointVOSError):
    """A data set on disk cannot be used."""

    exit_code = 6


class DatasetNotFound(DatasetError, FileNotFoundError):
    """The folder is missing or has another layout."""


class SequenceIncomplete(DatasetError):
    """A sequence lacks frames or masks."""


class DeviceError(JointVOSError, RuntimeError):
    """The compute device cannot be used."""

    exit_code = 7


class DeviceUnavailable(DeviceError):
    """The device asked for is not there."""


class OutOfDeviceMemory(DeviceError):
    """The device has too little memory."""


class OutputError(JointVOSError, OSError):
    """An output cannot be written."""

    exit_code = 8


class OutputExists(OutputError, FileExistsError):
    """The output is there already and overwriting was not asked for."""

    def __init__(
        self, message: str = "", *, hint: str = "use `overwrite=True` to replace it"
    ) -> None:
        super().__init__(message, hint=hint)


class EncodeError(OutputError):
    """The encoder refused or failed."""


class IncompleteRun(JointVOSError):
    """The run finished, but some sequences or videos failed."""

    exit_code = 9


class TrainingError(JointVOSError, RuntimeError):
    """Training cannot go on."""

    exit_code = 10


class NonFiniteLoss(TrainingError):
    """The loss became NaN or infinite."""


class TransferError(JointVOSError, OSError):
    """A file behind a URL cannot be fetched or stored."""

    exit_code = 11


@contextmanager
def os_errors_as(kind: type[JointVOSError], what: str = "") -> Iterator[None]:
    """Raise what the system says of a path (too long, no permission, a loop) as an error of ours.

    Args:
        kind: Which error.
        what: What has failed; by default its message says only which path it is about.

    Raises:
        JointVOSError: Of that kind, in the block; errors of ours pass.
    """
    try:
        yield
    except JointVOSError:
        raise
    except OSError as error:
        why = f"{what}: {error.strerror or error}" if what else os_reason(error)
        raise kind(why) from error


def reason(error: BaseException) -> str:
    """What went wrong, in a few words."""
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0] if text else type(error).__name__


def os_reason(error: OSError) -> str:
    """What the system says, behind the path that it says it of."""
    why = error.strerror or str(error)
    return why if error.filename is None else f"{error.filename}: {why}"
