"""`VideoSegmenter`: the session that follows objects through one video.

A frame goes through three phases: every object is predicted on its own (nothing changes), the
predictions are merged by soft aggregation, and every object learns from and follows the result.
All of it happens on copies of the groups, which take their place at the end: a frame that fails
is as if it had not been there, and may be tried again.
"""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor

from jointvos.config import INFERENCE, InferenceConfig, OnOOM, to_dict
from jointvos.errors import ConfigError, MaskError, MaskSizeMismatch, UnsupportedMediaError
from jointvos.inference import recorded
from jointvos.inference.device import choose_device, choose_dtype, upload
from jointvos.inference.drawing import colors_of
from jointvos.inference.frame import Outcome, Prediction, Sought, merge, search, track
from jointvos.inference.learning import Learned, learn_template
from jointvos.inference.object_group import LearnTemplate, ObjectGroup, split
from jointvos.inference.oom_retry import retried
from jointvos.inference.prompt import FramePrompt, begin_objects, correct_objects
from jointvos.inference.recorded import PATIENCE, Recorded, cuda_graph
from jointvos.inference.redetection import closer_region, moved_on
from jointvos.inference.result import Findings, frame_result
from jointvos.inference.stages import Stage, stage
from jointvos.inference.state import loaded
from jointvos.inference.target import ANY_CHANGE, whole_frame
from jointvos.inference.trees import mapped, on_cpu
from jointvos.model import JointNet, MaskEncodings
from jointvos.ops import (
    SearchRegion,
    crop_mask,
)
from jointvos.types import Frame, FrameResult, Image, LabelMap, object_ids

Result = TypeVar("Result")
Item = TypeVar("Item")

AT_ONCE = 8
"""Most search regions that go through the network together on a GPU."""

GROUPS_RECORDED = 4
"""Groups of different sizes whose next templates are kept recorded."""

STATE_VERSION = 4
"""Of what `VideoSegmenter.state_dict` returns; raised when its layout changes."""


class VideoSegmenter:
    """Follows objects through one video, one frame at a time.

    Example:
        >>> segmenter = VideoSegmenter(load_model("joint-lite"))
        >>> result = segmenter.step(first_image, first_mask)
        >>> result = segmenter.step(next_image)

    Args:
        net: The network; it is moved to the device, or a copy of it in half precision.
        config: How to run it; the network's own preset by default.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        precision: "auto", "fp32", "bf16" or "fp16".
        probabilities: Whether results carry the probability maps.
        overlays: Whether results carry the images with the masks drawn over them. On a GPU that
            takes next to no time, on the CPU `jointvos.masks.draw_overlay` is faster.
        compiled: Whether what is recorded on CUDA is compiled before.
        on_oom: What to do when the device's memory does not suffice: "fail" at once, or "retry"
            the frame in smaller steps (fewer objects at a time, a smaller memory, the CPU), which
            stay in force. Smaller memories change what is found.
        say: Told of each of these steps in a line; a warning by default.

    Attributes:
        object_ids: IDs in the order in which the objects appeared.
        track: What follows all objects through a frame in which none is given; `frame.track`, on
            CUDA recorded.
        learn_template: What a group learns from a frame; `learning.learn_template`, on CUDA
            recorded.
        object_count: How many there are, those that are new in the frame at hand included.

    Raises:
        DeviceUnavailable: The device is not there.
        ConfigError: Device or precision are unknown or do not fit.
        OutOfDeviceMemory: The device's memory does not suffice.
    """

    def __init__(
        self,
        net: JointNet,
        config: InferenceConfig | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        probabilities: bool = False,
        overlays: bool = False,
        compiled: bool = False,
        on_oom: OnOOM = "fail",
        say: Callable[[str], None] = warnings.warn,
    ) -> None:
        if on_oom not in get_args(OnOOM):
            raise ConfigError(f"on_oom is {on_oom!r}, expected {' or '.join(get_args(OnOOM))}")
        self.device = choose_device(device)
        self.dtype = choose_dtype(precision, self.device)
        self.net = net if self.dtype is None else net.in_precision(self.dtype)
        self.config = config or INFERENCE[net.config.inference]
        self.keep_probabilities, self.draw_overlays = probabilities, overlays
        self.on_oom: OnOOM = on_oom
        self.say = say
        self.groups: list[ObjectGroup] = []
        self.object_ids: tuple[int, ...] = ()
        self.object_count = 0
        self.objects_at_once = self._objects_at_once()
        self.track: Callable[[Tensor, list[Sought], Tensor | None, int], Outcome] = self._track
        self.learn_template: LearnTemplate = self._learn_template
        if self.device.type == "cuda":
            capture = cuda_graph(self.device)
            if compiled:
                capture = recorded.compiled(capture, say)
            # While the memory grows, frames of the same shapes are too few to be worth it.
            patience = max(self.config.template_interval, PATIENCE)
            self.track = Recorded(self._track, capture, say, patience=patience)
            self.learn_template = Recorded(
                self._learn_template, capture, say, most=GROUPS_RECORDED, copied=True
            )
        self._memory_size = self.config.memory_size
        self._drawn_ids: tuple[int, ...] | None = None
        self._drawn_colors: Tensor | None = None
        self._frame: tuple[int, int] | None = None
        self._count = 0
        # Convolutions on the CPU run about a third faster with channels last.
        self.net.eval().to(memory_format=torch.channels_last)
        self._retried(lambda: self.net.to(self.device))

    def segment(
        self, frames: Iterable[Frame], first_mask: LabelMap
    ) -> Iterator[tuple[Frame, FrameResult]]:
        """Every frame with its result; the mask [Hv,Wv] belongs to the first of them.

        On a GPU a result comes when the next frame has been asked for, so that neither the GPU nor
        the host waits for the other.
        """
        masks: LabelMap | None = first_mask

        def asked() -> Iterator[tuple[Frame, Callable[[], FrameResult]]]:
            nonlocal masks
            for frame in frames:
                yield frame, self.ask(frame.image, masks, index=frame.index)
                masks = None

        for frame, result in self.one_behind(asked()):
            yield frame, result()

    def one_behind(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, on a GPU each when the next has been asked for; an error comes behind all."""
        if self.device.type != "cuda":
            yield from items
            return
        waiting: deque[Item] = deque()
        try:
            for item in items:
                waiting.append(item)
                if len(waiting) > 1:
                    yield waiting.popleft()
        except Exception:
            yield from waiting
            raise
        yield from waiting

    def step(
        self,
        image: Image,
        masks: LabelMap | None = None,
        *,
        index: int | None = None,
        cut: bool = False,
        template: bool | None = None,
    ) -> FrameResult:
        """Segment the next frame, and wait for the result; see `ask`."""
        return self._next(image, masks, index, cut, template, wait=True)()

    def ask(
        self,
        image: Image,
        masks: LabelMap | None = None,
        *,
        index: int | None = None,
        cut: bool = False,
        template: bool | None = None,
    ) -> Callable[[], FrameResult]:
        """Ask the device for the next frame; what is returned waits for its result.

        The session has moved on to the frame after it by then, which may be asked for before this
        one's result. Only a GPU works meanwhile; elsewhere all is done when this returns.

        A mask of an object that is followed already corrects it: its result in this frame is the
        mask, which is learned like a first frame, becomes a permanent template in place of those
        that were learned since, and tells where the object is.

        Args:
            image: RGB, uint8 [Hv,Wv,3], of one size throughout.
            masks: Ids per pixel, uint8 or uint16 [Hv,Wv], of objects that are new in this frame or
                corrected. Of objects that do not occur, and (in uint8) where it is 255, nothing
                is said.
            index: Number that the result carries; counted from 0 by default.
            cut: Whether this frame is the first of another shot; `InferenceConfig.cuts` says
                what follows from that.
            template: Whether objects that are being followed store this frame as a template; None
                stores every `template_interval`-th.

        Raises:
            MaskSizeMismatch: Mask and image differ in size.
            MaskError: The mask does not consist of IDs.
            UnsupportedMediaError: The image's size differs from the first one's.
            OutOfDeviceMemory: The device's memory does not suffice.
        """
        wait = self.device.type != "cuda"
        return self._next(image, masks, index, cut, template, wait=wait)

    def _next(
        self,
        image: Image,
        masks: LabelMap | None,
        index: int | None,
        cut: bool,
        template: bool | None,
        *,
        wait: bool,
    ) -> Callable[[], FrameResult]:
        """Move on by a frame, and wait for its result or not; a failure changes nothing."""
        self._check(image, masks)
        number = self._count if index is None else index
        given = () if masks is None else object_ids(masks)
        self.object_count = len({*self.object_ids, *given})
        minded = cut and self.config.cuts != "off"

        def attempt() -> tuple[list[ObjectGroup], tuple[int, ...], Callable[[], FrameResult]]:
            groups, ids, result_of = self._advance(image, masks, number, minded, template)
            if not wait:
                return groups, ids, result_of
            result = result_of()
            return groups, ids, lambda: result

        self.groups, self.object_ids, result = self._retried(attempt)
        self._frame = self._frame or (image.shape[0], image.shape[1])
        self._count += 1
        return result

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes in a session, copied to the CPU, for `torch.save`.

        `torch.load(..., weights_only=True)` reads it, and a session that loads it goes on as this
        one does, on the CPU to the bit.
        """
        return {
            "version": STATE_VERSION,
            "model": to_dict(self.net.config),
            "config": to_dict(self.config),
            "memory_size": self._memory_size,
            "frame": self._frame,
            "count": self._count,
            "object_ids": list(self.object_ids),
            "groups": [on_cpu(group.state_dict()) for group in self.groups],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the session was that `state` comes from; this one stays as it is if it fails.

        Raises:
            ConfigError: It is no state of a session, of another version, or of a session that ran
                another network or ran it otherwise.
            OutOfDeviceMemory: The device's memory does not suffice.
        """
        if (version := loaded(state, "version", int)) != STATE_VERSION:
            raise ConfigError(
                f"the saved state is of version {version}, expected {STATE_VERSION}; it was saved "
                "by another version of jointvos"
            )
        for name, own in (("model", self.net.config), ("config", self.config)):
            saved = loaded(state, name, Mapping)
            for key, value in to_dict(own).items():
                if saved.get(key) != value:
                    raise ConfigError(
                        f"the saved session had {key} {saved.get(key)}, this one has {value}; "
                        "make it as the saved one was"
                    )
        memory_size, count = loaded(state, "memory_size", int), loaded(state, "count", int)
        frame = loaded(state, "frame", list | tuple | None)
        size = (0, 0) if frame is None else (frame[0], frame[1])
        ids, states = loaded(state, "object_ids", list), loaded(state, "groups", list)
        groups = self._retried(lambda: self._loaded(states, size))
        if sorted(ids) != sorted(i for group in groups for i in group.object_ids):
            raise ConfigError(f"the saved groups do not hold the objects {ids}")
        self.groups, self.object_ids = groups, tuple(ids)
        self._memory_size, self._count = memory_size, count
        self._frame = None if frame is None else size

    def shrink_memory(self, size: int) -> None:
        """Keep at most so many templates per object from now on, and the corrections."""
        groups = [group.copy() for group in self.groups]
        with self._computing():
            for group in groups:
                group.shrink(size)
        self.groups = groups
        self._memory_size = size

    def fill_memory(self) -> None:
        """Fill memories that hold a single template with copies of it, for measurements.

        What follows takes the time and space of a full memory, which would otherwise be long in
        coming.
        """
        groups = [group.copy() for group in self.groups]
        with self._computing():
            for group in groups:
                group.fill_memory()
        self.groups = groups

    def release(self) -> None:
        """Give back memory that nothing is lost with."""
        for function in (self.track, self.learn_template):
            if isinstance(function, Recorded):
                function.forget()

    def move_to_cpu(self) -> None:
        """Go on without the device, as large as configured; the network moves too."""
        states = [group.state_dict() for group in self.groups]
        self._drawn_ids = None
        self.net.to("cpu")
        self.device = torch.device("cpu")
        self.track, self.learn_template = self._track, self._learn_template
        if self.dtype == torch.float16:
            self.dtype = None
            self.net.float()
        self.objects_at_once = self._objects_at_once()
        self._memory_size = self.config.memory_size
        self.groups = self._loaded(states, self._frame or (0, 0))
        for group in self.groups:
            group.bank.size = self._memory_size

    def _objects_at_once(self) -> int:
        """As configured, or what is fastest on the device.

        A GPU wants large batches. On the CPU a batch's feature maps outgrow the caches and what
        the allocator keeps: memory that comes from the system anew costs more than a batch saves.
        """
        return self.config.objects_at_once or (1 if self.device.type == "cpu" else AT_ONCE)

    def _loaded(
        self, states: Iterable[Mapping[str, Any]], frame: tuple[int, int]
    ) -> list[ObjectGroup]:
        groups = []
        for state in states:
            group = ObjectGroup(self.net, self.config, ())
            group.load_state_dict(state, frame)
            groups.append(group)
        return groups

    def _retried(self, attempt: Callable[[], Result]) -> Result:
        return retried(attempt, self, self.on_oom, self.say)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        # Half precision is in the weights: casts on the way would take longer than they save.
        with torch.inference_mode():
            yield

    def _check(self, image: Image, masks: LabelMap | None) -> None:
        size = (image.shape[0], image.shape[1])
        first = self._frame or size
        if size != first:
            raise UnsupportedMediaError(
                f"frame {self._count} is {size[1]}x{size[0]}, the first was "
                f"{first[1]}x{first[0]}; all frames must be the same size"
            )
        if masks is not None and masks.shape != size:
            raise MaskSizeMismatch(
                f"the mask is {masks.shape[1]}x{masks.shape[0]}, the frame {size[1]}x{size[0]}; "
                "they must be the same size"
            )
        if masks is not None and masks.dtype not in (np.uint8, np.uint16):
            raise MaskError(f"the mask is {masks.dtype}, expected IDs in uint8 or uint16")

    def _advance(
        self, image: Image, masks: LabelMap | None, index: int, cut: bool, template: bool | None
    ) -> tuple[list[ObjectGroup], tuple[int, ...], Callable[[], FrameResult]]:
        """Groups and IDs after this frame, and what waits for its result.

        The session stays as it is.
        """
        most = self.objects_at_once
        groups = [part for group in self.groups for part in group.copy().split(most)]
        with self._computing():
            frame = upload(image, self.device)
            if cut:
                for group in groups:
                    group.begin_shot()
            if masks is None and groups and not any(group.paused for group in groups):
                outcome = self._tracked(frame, groups)
            else:
                predictions = self._predict(groups, frame)
                if masks is not None:
                    prompt = FramePrompt.of(masks, self.device)
                    groups, predictions = correct_objects(groups, predictions, frame, prompt)
                    for group, own in self._new_objects(frame, prompt):
                        groups.append(group)
                        predictions.append(own)
                outcome = self._merged(groups, predictions, frame)
            fetched = outcome.findings.fetching()
            for group, own, of_group in zip(
                groups, outcome.predictions, split(outcome.probabilities[1:], groups), strict=True
            ):
                if group.takes_template(template) and own.features is not None:
                    assert own.region is not None
                    crops = crop_mask(of_group, own.region, self.config.crop_size)
                    group.learn(own.features, crops, self.learn_template)
            ids = [object_id for group in groups for object_id in group.object_ids]
            groups = moved_on(groups, outcome)
        paused = {i for group in groups if group.paused for i in group.object_ids}
        new = [object_id for object_id in ids if object_id not in self.object_ids]
        order = (*self.object_ids, *new)

        def result() -> FrameResult:
            with stage(Stage.RESULT):
                # The only wait for the device, when all of a frame's work has been asked of it.
                return frame_result(fetched(), ids, paused, order, index=index, cut=cut)

        return groups, order, result

    def _tracked(self, frame: Tensor, groups: list[ObjectGroup]) -> Outcome:
        """A frame as most are: all objects are followed, none is given."""
        sought = [group.sought for group in groups]
        outcome = self.track(frame, sought, self._colors(groups), self.objects_at_once)
        # What the session keeps; the rest is used before the next frame.
        return replace(outcome, targets=mapped(torch.clone, outcome.targets))

    def _track(
        self, frame: Tensor, groups: list[Sought], colors: Tensor | None, together: int
    ) -> Outcome:
        keep = self.keep_probabilities
        return track(self.net, self.config, frame, groups, colors, together=together, keep=keep)

    def _colors(self, groups: Iterable[ObjectGroup]) -> Tensor | None:
        """In which the objects are drawn, if they are to be."""
        if not self.draw_overlays:
            return None
        ids = tuple(object_id for group in groups for object_id in group.object_ids)
        if ids != self._drawn_ids:
            self._drawn_ids, self._drawn_colors = ids, colors_of(ids, self.device)
        return self._drawn_colors

    def _learn_template(self, *arguments: Any) -> tuple[MaskEncodings, Learned]:
        return learn_template(self.net, *arguments)

    def _merged(
        self, groups: list[ObjectGroup], predictions: list[Prediction], frame: Tensor
    ) -> Outcome:
        colors = self._colors(groups)
        if not groups:
            probabilities = torch.ones(1, *frame.shape[:2], device=self.device)
            findings, _ = Findings.of(probabilities, frame, colors, keep=self.keep_probabilities)
            return Outcome((), probabilities, findings, ())
        return merge(
            self.config,
            predictions,
            [group.target for group in groups],
            [ANY_CHANGE if group.paused else self.config.scale_change for group in groups],
            *(frame, colors),
            keep=self.keep_probabilities,
        )

    def _predict(self, groups: list[ObjectGroup], frame: Tensor) -> list[Prediction]:
        """All objects, each on its own, after a cut or where masks are given; reads state only."""
        size, kernel_size = (frame.shape[0], frame.shape[1]), self.net.config.kernel_size
        regions = [
            whole_frame(len(group), self.config, size, self.device)
            if group.paused
            else group.target.region(self.config, kernel_size, size)
            for group in groups
        ]
        predictions = self._search(groups, frame, regions)
        for i, (group, own) in enumerate(zip(groups, predictions, strict=True)):
            if not group.paused:
                logits = group.target.within_reach(own.logits, self.config)
                predictions[i] = replace(own, logits=logits)
                continue
            # The whole frame was searched, in which a target may be too small to be sure.
            there, region = closer_region(group, own)
            if there.any():
                (closer,) = self._search([group], frame, [region])
                logits = torch.where(there[:, None, None], closer.logits, own.logits)
                predictions[i] = Prediction(logits)
        return predictions

    def _search(
        self, groups: list[ObjectGroup], frame: Tensor, regions: list[SearchRegion]
    ) -> list[Prediction]:
        sought = [group.sought for group in groups]
        return search(self.net, self.config, frame, sought, regions, together=self.objects_at_once)

    def _new_objects(
        self, frame: Tensor, prompt: FramePrompt
    ) -> Iterator[tuple[ObjectGroup, Prediction]]:
        """The objects of a mask that are not followed yet, as many at a time as fit."""
        new = [object_id for object_id in prompt.ids if object_id not in self.object_ids]
        for i in range(0, len(new), self.objects_at_once):
            ids = new[i : i + self.objects_at_once]
            group, own = begin_objects(self.net, self.config, ids, frame, prompt)
            group.shrink(self._memory_size)
            yield group, own
