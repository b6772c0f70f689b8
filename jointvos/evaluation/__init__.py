"""Score a session on a data set and report it."""

from jointvos.evaluation.report import global_csv, per_sequence_csv, text_report
from jointvos.evaluation.result import EvaluationResult, SequenceFailure, SequenceResult
from jointvos.evaluation.runner import Session, evaluate, evaluate_sequence

__all__ = [
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
