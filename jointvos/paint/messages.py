"""Errors of the library in the words of the page."""

from jointvos.errors import JointVOSError, OutputExists


def in_words(error: JointVOSError) -> str:
    """What the page shows of an error: parameters of the library mean nothing there."""
    hint = error.hint
    if isinstance(error, OutputExists):
        hint = "tick \u201cReplace files that exist\u201d, or choose another name"
    return error.message if not hint or "`" in hint else f"{error.message}; {hint}"
