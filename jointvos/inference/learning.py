"""What is learned from a memory: template keys (Eqs. 2-3) and target models (Eq. 6).

Functions of tensors, without state and without a wait for the device, as a frame is (see `frame`),
so that a new template can be recorded and replayed as a whole, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from jointvos.inference.memory_bank import Template, joined, stack
from jointvos.inference.stages import Stage, stage
from jointvos.model import EncodedTemplate, JointNet, MaskEncodings, TargetModel, TemplateKeys


@dataclass(frozen=True)
class Learned:
    """What is derived from the templates of a group.

    Attributes:
        encoded: The templates in the template encoder; none without the transduction branch.
        keys: The memory as that branch reads it; None without it.
        target_model: Kernels of the induction branch; None without it.
    """

    encoded: tuple[EncodedTemplate, ...] = ()
    keys: TemplateKeys | None = None
    target_model: TargetModel | None = None


def learn_template(
    net: JointNet,
    before: Learned,
    others: Sequence[Template],
    heads: tuple[Tensor | None, Tensor | None],
    masks: Tensor,
    weights: Tensor,
    steps: int,
    taken_back: Sequence[int],
) -> tuple[MaskEncodings, Learned]:
    """Encode the masks of a new template, and learn from it and the others.

    Args:
        net: The network.
        before: What was learned without it.
        others: The templates that stay.
        heads: Features of the new one for transduction and induction, [O,C,h,w].
        masks: Crops of the objects' probabilities, [O,1,H,W].
        weights: Of the templates, the new one last, [N].
        steps: Of steepest descent.
        taken_back: See `JointNet.renew_templates`.
    """
    with stage(Stage.LABELS):
        encodings = net.encode_masks(masks[:, None])
    templates = [*others, Template(*heads, encodings)]
    return encodings, learn(net, before, templates, weights, steps, taken_back)


def learn(
    net: JointNet,
    before: Learned,
    templates: Sequence[Template],
    weights: Tensor,
    steps: int,
    taken_back: Sequence[int] | None = None,
) -> Learned:
    """Renew what is derived from these templates.

    Args:
        net: The network.
        before: What was derived from those of before, which may be others.
        templates: In the order in which they came.
        weights: Of the templates, [N].
        steps: Of steepest descent; with 0 the target models stay.
        taken_back: See `JointNet.renew_templates`.
    """
    encodings = joined([each.encodings for each in templates])
    encoded, keys, target_model = before.encoded, None, before.target_model
    if net.transduction is not None and encodings.transduction is not None:
        with stage(Stage.TEMPLATES):
            maps = [each.transduction for each in templates if each.transduction is not None]
            encoded = net.renew_templates(encoded, maps, taken_back)
            keys = net.template_keys(encoded, encodings.transduction)
    if net.learner is not None and steps > 0:
        with stage(Stage.LEARNER):
            features = stack([each.induction for each in templates])
            target_model = net.fit_target_model(
                features,
                encodings,
                template_weights=weights.expand(len(features), -1),
                start=target_model,
                steps=steps,
            )
    return Learned(encoded, keys, target_model)
