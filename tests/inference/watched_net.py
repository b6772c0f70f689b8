"""The tiny network, with a test between it and whoever calls one of its verbs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from jointvos.model import JointNet

OUT = "CUDA out of memory. Tried to allocate 2.00 GiB."
"""What torch says then."""


def _watched(verb: str) -> Callable[..., Any]:
    def call(self: "WatchedNet", *args: Any, **options: Any) -> Any:
        own = partial(getattr(JointNet, verb), self)
        watch = self.watches.get(verb)
        return own(*args, **options) if watch is None else watch(own, *args, **options)

    return call


class WatchedNet(JointNet):
    """A copy of a network.

    Attributes:
        watches: By the name of a verb, a function that is called in its place, with the verb
            before its arguments.
    """

    def __init__(self, net: JointNet) -> None:
        super().__init__(net.config)
        self.load_state_dict(net.state_dict())
        self.requires_grad_(False)
        self.watches: dict[str, Callable[..., Any]] = {}

    encode_image = _watched("encode_image")
    encode_masks = _watched("encode_masks")
    renew_templates = _watched("renew_templates")
    template_keys = _watched("template_keys")
    propagate = _watched("propagate")
    fit_target_model = _watched("fit_target_model")
    apply_target_model = _watched("apply_target_model")
    decode = _watched("decode")
    to = _watched("to")


class Failing:
    """A watch: chosen calls run out of memory.

    Args:
        fails: Whether a call does, of its number from 0 and its arguments; none do by default.
    """

    def __init__(self, fails: Callable[..., bool] = lambda *_: False) -> None:
        self.fails, self.calls = fails, 0

    def __call__(self, verb: Callable[..., Any], *args: Any, **options: Any) -> Any:
        self.calls += 1
        if self.fails(self.calls - 1, args):
            raise torch.OutOfMemoryError(OUT)
        return verb(*args, **options)
