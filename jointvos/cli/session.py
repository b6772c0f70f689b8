"""From options to a session; torch is imported here and not before."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jointvos.cli.console import Reporter
from jointvos.config import INFERENCE, PRECISIONS, preset, to_dict
from jointvos.errors import ConfigError

if TYPE_CHECKING:
    from jointvos.inference import VideoSegmenter


def check_options(
    model: str | None, weights: Path | None, preset_name: str | None, precision: str
) -> None:
    """What can be found wrong before anything is opened or loaded.

    Raises:
        ConfigError: Options contradict each other or are unknown.
    """
    if model is not None and weights is not None:
        raise ConfigError("--model and --weights exclude each other; give one of them")
    if preset_name is not None:
        preset(INFERENCE, preset_name)
    if precision not in PRECISIONS:
        raise ConfigError(f"no precision {precision!r}; expected {', '.join(PRECISIONS)}")


def make_sessions(
    reporter: Reporter,
    *,
    model: str | None,
    weights: Path | None,
    preset_name: str | None,
    memory_size: int | None,
    template_interval: int | None,
    reach: float | None,
    device: str,
    precision: str,
    memory_precision: str | None = None,
    cuts: "Literal['off', 'pause', 'reset']" = "pause",
    on_oom: "Literal['retry', 'fail']" = "retry",
    compiled: bool = False,
) -> "Callable[[], VideoSegmenter]":
    """Load the model once, say which, and return what makes a fresh session of it.

    The model's own preset is used unless another is named.

    Raises:
        ConfigError: Options contradict each other or are out of range.
        WeightsError: The model is missing or unusable.
        DeviceUnavailable: The device is not there.
        DeviceError: The network was to be compiled, which does not work here.
    """
    check_options(model, weights, preset_name, precision)
    from jointvos.checkpoints import find_weights, load_model
    from jointvos.inference import VideoSegmenter

    path = find_weights(weights if weights is not None else model)
    net = load_model(path)
    chosen = preset_name or net.config.inference
    config = preset(
        INFERENCE,
        chosen,
        memory_size=memory_size,
        memory_precision=memory_precision,
        template_interval=template_interval,
        reach=reach,
        cuts=cuts,
    )

    def make() -> VideoSegmenter:
        return VideoSegmenter(
            net, config, device=device, precision=precision, on_oom=on_oom, say=reporter.warn
        )

    session = make()
    reporter.note(f"model {path.stem}, preset {chosen}, on {session.device}")
    if compiled:
        from jointvos.inference.compiled import compile_session

        reporter.note("compiling the network; this takes a minute or more")
        reporter.note(f"compiled in {compile_session(session):.0f} s")
    reporter.detail(f"weights: {path}")
    for name, value in to_dict(config).items():
        reporter.detail(f"{name}: {value}")
    return make
