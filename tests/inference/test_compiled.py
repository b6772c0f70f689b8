"""A compiled network finds the same, and says in one line when it cannot be compiled."""

import shutil
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch._dynamo.exc import TorchDynamoException

from jointvos.config import InferenceConfig
from jointvos.errors import DeviceError
from jointvos.inference import VideoSegmenter
from jointvos.inference.compiled import compile_session

CONFIG = InferenceConfig(crop_size=(64, 96), template_interval=2, memory_size=3)


def test_without_a_compiler_it_is_one_line(tiny_net):
    def fails(_image):
        raise TorchDynamoException("no C++ compiler found\nand a long story")

    part = SimpleNamespace(compile=lambda **_: None)  # the real one loads the compiler, for seconds
    net = SimpleNamespace(
        config=tiny_net.config, backbone=part, decoder=part, encode_image=fails, decode=None
    )
    session = SimpleNamespace(net=net, config=CONFIG, device=torch.device("cpu"))
    with pytest.raises(
        DeviceError, match=r"compiling .* cpu .*no C\+\+ compiler found\)"
    ) as caught:
        compile_session(session)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")  # the compiler warns of what it has deprecated itself
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_same_labels(tiny_net, clip):
    frames, labels = clip
    plain = VideoSegmenter(tiny_net, CONFIG, device="cpu")
    compiled = VideoSegmenter(deepcopy(tiny_net), CONFIG, device="cpu")
    assert compile_session(compiled) > 0
    for t, image in enumerate(frames):
        mask = labels[0] if t == 0 else None
        expected = plain.step(image, mask).labels
        assert np.mean(compiled.step(image, mask).labels == expected) > 0.99
    assert set(compiled.net.state_dict()) == set(plain.net.state_dict())
