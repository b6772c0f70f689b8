"""Videos and image folders, in and out; knows nothing of networks.

`reading` turns a path into frames, `writing` turns results into outputs, and `pipeline` runs both
beside the network.
"""

from jointvos.media.pipeline import FanOut, read_ahead

__all__ = ["FanOut", "read_ahead"]
