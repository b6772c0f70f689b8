"""A trained network with one branch silenced: what the other one finds alone (Table 1).

The paper trains a network for each row of that table; this asks what the parts of one network do.
"""

from dataclasses import replace
from typing import Literal

from jointvos.model.joint import JointNet

Branch = Literal["transduction", "induction"]
TRANSDUCTION_HEAD = "label_encoder.transduction_head."
HEAD = "label_encoder.head."


def without_branch(net: JointNet, branch: Branch) -> JointNet:
    """The network without what one of its branches says, and without the cost of it.

    Args:
        net: A network with both branches.
        branch: The one that goes.

    Returns:
        A network of its own, in the same mode and on the same device.
    """
    config = replace(
        net.config,
        transduction=branch != "transduction",
        induction=branch != "induction",
        two_head=False,
    )
    state = dict(net.state_dict())
    first, last = state["heads.weight"].chunk(2)  # of transduction and of induction
    if branch == "transduction":
        state["heads.weight"] = last
    else:
        state["heads.weight"] = first
        if net.config.two_head:  # its label encoder's trunk becomes the only one
            own = [name for name in state if name.startswith(TRANSDUCTION_HEAD)]
            state |= {name.replace(TRANSDUCTION_HEAD, HEAD): state[name] for name in own}
    other = JointNet(config).to(net.heads.weight.device)
    kept = other.state_dict().keys()
    other.load_state_dict({name: state[name] for name in kept})
    return other.train(net.training)
