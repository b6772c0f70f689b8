"""A frame: every object is sought on its own, all are merged, and it follows where each is now.

Functions of tensors, without state and without a wait for the device: no value is fetched in order
to go on, and no size depends on what is seen. So a frame can be compiled, or recorded once and
replayed, as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from jointvos.config import InferenceConfig
from jointvos.inference.result import Findings
from jointvos.inference.stages import Stage, stage
from jointvos.inference.target import Target
from jointvos.model import FrameFeatures, JointNet, TargetModel, TemplateKeys
from jointvos.ops import SearchRegion, crop_image, moments, paste, soft_aggregate


@dataclass(frozen=True)
class Sought:
    """What a frame needs to know of a group of objects.

    Attributes:
        target: Where they were.
        keys: Their memories as the transduction branch reads them; None without that branch.
        target_model: Their kernels; None without the induction branch.
    """

    target: Target
    keys: TemplateKeys | None
    target_model: TargetModel | None


@dataclass(frozen=True)
class Prediction:
    """What a group contributes to a frame before the merge.

    Attributes:
        logits: In the whole frame, [O,Hv,Wv].
        features: Heads of the search regions, in case they become a template; None if they can't.
        region: Where these are; None as above.
    """

    logits: Tensor
    features: FrameFeatures | None = None
    region: SearchRegion | None = None


@dataclass(frozen=True)
class Outcome:
    """What a frame comes to.

    Attributes:
        predictions: By group.
        probabilities: Of background and all objects, [1+O,Hv,Wv], group after group.
        findings: What its result is made of.
        targets: Where the objects are now, by group.
    """

    predictions: tuple[Prediction, ...]
    probabilities: Tensor
    findings: Findings
    targets: tuple[Target, ...]


def track(
    net: JointNet,
    config: InferenceConfig,
    image: Tensor,
    groups: Sequence[Sought],
    colors: Tensor | None = None,
    *,
    together: int,
    keep: bool,
) -> Outcome:
    """A frame in which all objects are followed and none is given.

    Args:
        net: The network.
        config: How to run it.
        image: RGB, uint8 [Hv,Wv,3].
        groups: What is sought, one group at least.
        colors: Of objects that are to be drawn over the image, see `drawing.colors_of`.
        together: Most objects in one pass of backbone and decoder; no group has more.
        keep: Whether the findings keep the probabilities.
    """
    frame = (image.shape[0], image.shape[1])
    regions = [each.target.region(config, net.config.kernel_size, frame) for each in groups]
    predictions = search(net, config, image, groups, regions, together=together)
    predictions = [
        Prediction(each.target.within_reach(own.logits, config), own.features, own.region)
        for each, own in zip(groups, predictions, strict=True)
    ]
    limits = [config.scale_change] * len(groups)
    targets = [each.target for each in groups]
    return merge(config, predictions, targets, limits, image, colors, keep=keep)


def search(
    net: JointNet,
    config: InferenceConfig,
    image: Tensor,
    groups: Sequence[Sought],
    regions: Sequence[SearchRegion],
    *,
    together: int,
) -> list[Prediction]:
    """What is in these regions, by group; arguments as of `track`."""
    planes = image.permute(2, 0, 1).contiguous()
    predictions: list[Prediction] = []
    first = 0
    for last in range(1, len(groups) + 1):
        count = sum(len(each.step) for each in regions[first : last + 1])
        if last == len(groups) or count > together:
            part = slice(first, last)
            predictions += _search_at_once(net, config, planes, groups[part], regions[part])
            first = last
    return predictions


def _search_at_once(
    net: JointNet,
    config: InferenceConfig,
    image: Tensor,
    groups: Sequence[Sought],
    regions: Sequence[SearchRegion],
) -> list[Prediction]:
    region = _joined(regions)
    sizes = [len(each.step) for each in regions]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    with stage(Stage.CROP):
        crops = crop_image(image, region, config.crop_size)
    with stage(Stage.FEATURES):
        features = net.encode_image(crops)
    heads = [features.heads(part) for part in parts]
    encodings = [_search_encoding(net, own, each) for own, each in zip(heads, groups, strict=True)]
    with stage(Stage.DECODER):
        logits = net.decode(torch.cat(encodings), features.stages)[:, 0]
    with stage(Stage.PASTE):
        frame = (image.shape[1], image.shape[2])
        whole = paste(logits, region, frame, exact=config.exact_paste)
    return [
        Prediction(whole[part], own, where)
        for part, own, where in zip(parts, heads, regions, strict=True)
    ]


def _joined(regions: Sequence[SearchRegion]) -> SearchRegion:
    if len(regions) == 1:
        return regions[0]
    # One by one: a compiler does not look into `dataclasses.fields`.
    return SearchRegion(
        torch.cat([each.start for each in regions]),
        torch.cat([each.size for each in regions]),
        torch.cat([each.step for each in regions]),
        torch.cat([each.offset for each in regions]),
    )


def _search_encoding(net: JointNet, features: FrameFeatures, group: Sought) -> Tensor:
    """E_tra* + E_ind* of a group's search regions, [O,D,h,w]."""
    parts = []
    if group.keys is not None and features.transduction is not None:
        with stage(Stage.TRANSDUCTION):
            parts.append(net.propagate(features.transduction, group.keys))
    if group.target_model is not None and features.induction is not None:
        with stage(Stage.INDUCTION):
            parts.append(net.apply_target_model(group.target_model, features.induction))
    return torch.stack(parts).sum(0)


def merge(
    config: InferenceConfig,
    predictions: Sequence[Prediction],
    targets: Sequence[Target],
    limits: Sequence[tuple[float, float]],
    image: Tensor,
    colors: Tensor | None = None,
    *,
    keep: bool,
) -> Outcome:
    """The frame from all objects' predictions, and where they are after it.

    Args:
        config: How to run it.
        predictions: By group, one at least.
        targets: Where each group was.
        limits: Of each group's change of scale.
        image: RGB, uint8 [Hv,Wv,3].
        colors: As of `track`.
        keep: Whether the findings keep the probabilities.
    """
    with stage(Stage.AGGREGATE):
        logits = [each.logits for each in predictions]
        together = torch.cat(logits) if len(logits) > 1 else logits[0]
        probabilities = soft_aggregate(together.float())
    with stage(Stage.RESULT):
        findings, masks = Findings.of(probabilities, image, colors, keep=keep)
    with stage(Stage.STATE):
        sizes = [len(each) for each in logits]
        rows = moments(findings.targets, (probabilities.shape[1], probabilities.shape[2]))
        own = zip(torch.split(rows, sizes), torch.split(masks, sizes), limits, strict=True)
        moved = [target.moved(*each, config) for target, each in zip(targets, own, strict=True)]
    return Outcome(tuple(predictions), probabilities, findings, tuple(moved))
