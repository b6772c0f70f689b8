"""Score a session, or masks on disk, on a data set and report it; needs no torch by itself."""

from jointvos.datasets import SequenceFailure
from jointvos.evaluation.result import EvaluationResult, SequenceResult
from jointvos.evaluation.runner import evaluate

__all__ = [
    "EvaluationResult",
    "SequenceFailure",
    "SequenceResult",
    "evaluate",
]
