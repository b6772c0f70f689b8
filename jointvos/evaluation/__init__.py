"""Score a session on a data set and report it."""

from jointvos.evaluation.report import (
    GLOBAL_CSV,
    PER_SEQUENCE_CSV,
    global_csv,
    per_sequence_csv,
    text_report,
)
from jointvos.evaluation.result import EvaluationResult, SequenceFailure, SequenceResult
from jointvos.evaluation.runner import Session, evaluate, evaluate_sequence

__all__ = [
    "GLOBAL_CSV",
    "PER_SEQUENCE_CSV",
    "EvaluationResult",
    "SequenceFailure",
    "SequenceResult",
    "Session",
    "evaluate",
    "evaluate_sequence",
    "global_csv",
    "per_sequence_csv",
    "text_report",
]
