"""The network's convolutions through torch.compile: slow to begin with, faster frames after.

On CUDA a frame is compiled as a whole, too, when it is recorded (see `recorded.compiled`); on two
CPU cores that takes minutes.
"""

from time import perf_counter

import torch
from torch._dynamo.exc import TorchDynamoException

from jointvos.errors import DeviceError
from jointvos.inference.segmenter import VideoSegmenter


def compile_session(session: VideoSegmenter) -> float:
    """Compile backbone and decoder, and warm them up for one object; seconds that it took.

    Norms and activations are fused into the convolutions, and on the CPU weights are laid out for
    it. Another number of objects in a frame is another shape, compiled when it is first met. The
    weights must not change any more.

    Raises:
        DeviceError: There is no working compiler for the device here.
    """
    begin, net = perf_counter(), session.net
    options = {} if session.device.type == "cuda" else {"freezing": True}
    net.backbone.compile(options=options, dynamic=False)
    net.decoder.compile(options=options, dynamic=False)
    height, width = session.config.crop_size
    image = torch.zeros(1, 3, height, width, device=session.device)
    encoding = torch.zeros(
        1, net.config.encoding_dim, height // 16, width // 16, device=session.device
    )
    try:
        with torch.inference_mode():
            net.decode(encoding, net.encode_image(image).stages)
    except TorchDynamoException as error:
        reason = str(error).strip().splitlines()[0]
        raise DeviceError(
            f"compiling does not work for {session.device} here ({reason})",
            hint="leave out `compiled`",
        ) from error
    return perf_counter() - begin
