"""Model files: where they are, how they are read and written, and how foreign ones come in."""

from jointvos.checkpoints.load import load_model, save_model
from jointvos.checkpoints.registry import find_weights, installed

__all__ = ["find_weights", "installed", "load_model", "save_model"]
