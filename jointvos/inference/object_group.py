"""Objects that are followed together: where they are sought, what is remembered of them.

Objects that appeared in the same frame, and have been treated alike since, are a group: a batch in
every step, with one schedule. One that is corrected, or seen again sooner after a cut than the
others, goes on in a group of its own.

Reading changes nothing. What changes a group (`begin_shot`, `correct`, `learn`, and the session
when it moves on to the next frame) is applied to a copy, which takes its place when the frame is
done; tensors are replaced, never changed in place, so that the copy may share them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.errors import ConfigError
from jointvos.inference.frame import Sought
from jointvos.inference.learning import Learned, learn
from jointvos.inference.memory_bank import MemoryBank, Template
from jointvos.inference.stages import Stage, stage
from jointvos.inference.state import loaded, loaded_tensor
from jointvos.inference.target import Target, loaded_state
from jointvos.inference.trees import rows_of
from jointvos.model import (
    EncodedTemplate,
    FrameFeatures,
    JointNet,
    MaskEncodings,
    TargetModel,
    TemplateKeys,
    count_taken_back,
)
from jointvos.ops import TargetState

LearnTemplate: TypeAlias = Callable[..., tuple[MaskEncodings, Learned]]
"""`learn_template` with its network, plain or recorded."""

NOT_ENCODED = MaskEncodings(None, None, None)


class ObjectGroup:
    """State of the objects of a group.

    Args:
        net: The network, on its device.
        config: How to run it.
        object_ids: The user's IDs.
        state: Places and extents in the first frame; None for a group that a saved state is loaded
            into.

    Attributes:
        object_ids: The user's IDs.
        frame_number: Of the next frame, counted from 1 at the group's first.
        paused: Whether the objects have not been seen again with certainty since a cut.
        target: Where they are.
        prompted: Place and extent of the last masks from the user.
        bank: Their templates.
        target_model: Kernels of the induction branch; None without that branch.
        encoded: The templates in the template encoder, in the order in which they came; none
            without that branch.
        keys: The memory as the transduction branch reads it; None without that branch.
    """

    def __init__(
        self,
        net: JointNet,
        config: InferenceConfig,
        object_ids: Sequence[int],
        state: TargetState | None = None,
    ) -> None:
        self.net = net
        self.config = config
        self.object_ids = tuple(object_ids)
        self.frame_number = 1
        self.paused = False
        if state is not None:
            self.place(state)
        self.bank: MemoryBank
        self.target_model: TargetModel | None = None
        self.encoded: tuple[EncodedTemplate, ...] = ()
        self.keys: TemplateKeys | None = None

    def __len__(self) -> int:
        return len(self.object_ids)

    def copy(self) -> "ObjectGroup":
        """One that changes on its own."""
        other = copy(self)
        other.bank = self.bank.copy()
        return other

    def split(self, most: int) -> list["ObjectGroup"]:
        """Groups of at most so many objects; the group itself if it is small enough."""
        if len(self) <= most:
            return [self]
        rows = list(range(len(self)))
        return [self.part(rows[i : i + most]) for i in range(0, len(self), most)]

    def part(self, rows: list[int]) -> "ObjectGroup":
        """A group of some of the objects; what the other ones need is not kept for it."""
        other = copy(self)
        other.object_ids = tuple(self.object_ids[i] for i in rows)
        other.target, other.prompted = rows_of((self.target, self.prompted), rows)
        other.target_model, other.keys = rows_of((self.target_model, self.keys), rows)
        other.bank = self.bank.part(rows)
        # Templates are told apart by the identity of their maps.
        other.encoded = tuple(
            replace(rows_of(one, rows), features=features)
            for features, one in zip(other.bank.transduction, self.encoded, strict=False)
        )
        return other

    def state_dict(self) -> dict[str, Any]:
        """All that changes in a group, what could be derived again included.

        Running sums depend on the order in which they were made. The tensors are the group's own,
        not copies.
        """
        return {
            "object_ids": list(self.object_ids),
            "frame_number": self.frame_number,
            "paused": self.paused,
            "target": self.target.state_dict(),
            "prompted": dict(vars(self.prompted)),
            "bank": self.bank.state_dict(),
            "target_model": None if self.target_model is None else self.target_model.kernel,
            # Their maps are those of the bank's templates.
            "encoded": [
                {"attended": one.attended, "total": one.total, "taken_back": one.taken_back}
                for one in self.encoded
            ],
            "keys": None if self.keys is None else dict(vars(self.keys)),
        }

    def load_state_dict(self, state: Mapping[str, Any], frame: tuple[int, int]) -> None:
        """Become the group that `state` comes from, with its memory on the network's device.

        Raises:
            ConfigError: It is no state of a group, or of one that another network follows, or one
                in frames of another size.
        """
        device = next(self.net.parameters()).device
        net, bank = self.net.config, MemoryBank(None, self.config)
        self.object_ids = tuple(loaded(state, "object_ids", list))
        objects = len(self.object_ids)
        bank.load_state_dict(loaded(state, "bank", Mapping), objects, device)
        self.bank = bank
        self.frame_number = loaded(state, "frame_number", int)
        self.paused = loaded(state, "paused", bool)
        target = loaded(state, "target", Mapping)
        self.target = Target.loaded(target, objects, frame, device)
        self.prompted = loaded_state(loaded(state, "prompted", Mapping), objects, device)
        self.target_model = self.keys = None
        if net.induction:
            shape = (net.encoding_dim, net.feature_dim, net.kernel_size, net.kernel_size)
            self.target_model = TargetModel(
                loaded_tensor(state, "target_model", objects, *shape, device=device)
            )
        if not net.transduction:
            return
        cells = math.prod(bank.grid)
        keys, encoded = loaded(state, "keys", Mapping), loaded(state, "encoded", list)
        if len(encoded) != len(bank):
            raise ConfigError(
                f"the saved object has {len(bank)} templates, but {len(encoded)} encoded ones"
            )
        shapes = {"keys": net.key_dim, "values": net.encoding_dim}
        self.keys = TemplateKeys(
            **{
                name: loaded_tensor(keys, name, objects, len(bank) * cells, width, device=device)
                for name, width in shapes.items()
            }
        )
        self.encoded = tuple(
            EncodedTemplate(
                features,
                loaded_tensor(one, "attended", objects, cells, net.feature_dim, device=device),
                loaded_tensor(one, "total", objects, cells, device=device),
                loaded(one, "taken_back", int),
            )
            for features, one in zip(bank.transduction, encoded, strict=True)
        )

    def place(self, state: TargetState) -> None:
        """Put the search where masks from the user are, at their scale."""
        self.prompted = state
        self.target = Target.at(state, self.config)

    def learn_first(self, features: FrameFeatures, masks: Tensor) -> None:
        """Start the memory with crops of the first frame: their features and masks [O,1,H,W]."""
        self.bank = MemoryBank(self._template(features, masks), self.config)
        self._learn(self.config.initial_steps)

    def correct(self, features: FrameFeatures, masks: Tensor) -> None:
        """Learn other masks [O,1,H,W] of the user, for good; the crops are those of a first frame.

        Templates that were learned meanwhile go: they show results that had to be corrected.
        """
        self.paused = False
        self.bank.forget()
        self.bank.add(self._template(features, masks), permanent=True)
        self._learn(self.config.initial_steps)

    def begin_shot(self) -> None:
        """Mind a cut: search the whole frame and learn nothing until a target is seen again."""
        self.paused = True
        if self.config.cuts == "reset":
            self.place(self.prompted)
            self.bank.forget()
            self.target_model = None
            self._learn(self.config.initial_steps)

    def shrink(self, memory_size: int) -> None:
        """Go on with fewer templates."""
        before = len(self.bank)
        self.bank.shrink(memory_size)
        if len(self.bank) < before:
            self._learn(0)

    def fill_memory(self) -> None:
        """Fill the memory with copies of its template, if it holds but one."""
        if len(self.bank) > 1:
            return
        (first,) = self.bank.templates
        for _ in range(self.bank.size - 1):
            self.bank.add(deepcopy(first))
        encodings = self.bank.encodings.transduction
        if self.keys is not None and encodings is not None:
            (encoded,) = self.encoded
            self.encoded = encoded.copies(self.bank.transduction)
            self.keys = self.net.template_keys(self.encoded, encodings)

    def takes_template(self, asked: bool | None = None) -> bool:
        """Whether the next frame becomes a template, by the interval if it is not asked for."""
        due = (self.frame_number + 1) % self.config.template_interval == 0
        return (due if asked is None else asked) and not self.paused

    @property
    def sought(self) -> Sought:
        """What a frame needs to know of the group."""
        return Sought(self.target, self.keys, self.target_model)

    def learn(self, features: FrameFeatures, masks: Tensor, learn_template: LearnTemplate) -> None:
        """Keep the merged result of a frame as a template.

        Args:
            features: Of the frame's crops.
            masks: Crops of the objects' probabilities, [O,1,H,W].
            learn_template: Encodes the masks and renews what is derived from the memory.
        """
        heads = self._heads(features)
        if not (slot := self.bank.add(Template(*heads, NOT_ENCODED))):
            return
        *others, _ = self.bank.in_order
        counts = count_taken_back(self.encoded, self.bank.transduction)
        encodings, learned = learn_template(
            self._learned,
            others,
            heads,
            masks,
            self._weights(masks.device),
            self.config.update_steps,
            tuple(min(count, 1) for count in counts),
        )
        self.bank.templates[slot] = Template(*heads, encodings)
        # What was recorded has worked on copies of the maps, and on counts of its own.
        encoded = zip(learned.encoded, self.bank.transduction, counts, strict=True)
        self._derive(
            replace(
                learned,
                encoded=tuple(
                    replace(one, features=features, taken_back=count)
                    for one, features, count in encoded
                ),
            )
        )

    def _heads(self, features: FrameFeatures) -> tuple[Tensor | None, Tensor | None]:
        """Copies of features that are views into a batch, so that the batch can go."""
        half = self.config.memory_precision == "fp16"
        own = features.alone(torch.float16 if half else None)
        return own.transduction, own.induction

    def _template(self, features: FrameFeatures, masks: Tensor) -> Template:
        heads = self._heads(features)
        with stage(Stage.LABELS):
            return Template(*heads, self.net.encode_masks(masks[:, None]))

    def _learn(self, steps: int) -> None:
        """Renew what is derived from the memory: the template keys and the target models."""
        templates = self.bank.in_order
        weights = self._weights(self.target.scale.device)
        self._derive(learn(self.net, self._learned, templates, weights, steps))

    def _weights(self, device: torch.device) -> Tensor:
        """Of the templates in the order in which they came, [N]."""
        return self.bank.weights[self.bank.order].to(device)

    @property
    def _learned(self) -> Learned:
        return Learned(self.encoded, None, self.target_model)

    def _derive(self, learned: Learned) -> None:
        self.encoded, self.keys = learned.encoded, learned.keys
        self.target_model = learned.target_model
