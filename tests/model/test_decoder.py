"""The convolution of an enlarged image that is never made."""

import pytest
import torch
import torch.nn.functional as F

from jointvos.model.decoder import EnlargedConv


def resized_and_convolved(conv: EnlargedConv, x: torch.Tensor) -> torch.Tensor:
    size = (2 * x.shape[-2], 2 * x.shape[-1])
    large = F.interpolate(x, size, mode=conv.mode, align_corners=False)
    return F.conv2d(large, conv.weight, conv.bias, padding=1)


def drawn(mode: str, height: int, width: int) -> tuple[EnlargedConv, torch.Tensor]:
    torch.manual_seed(0)
    return EnlargedConv(4, 3, mode), torch.randn(2, 4, height, width)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 2), (3, 2), (4, 7), (12, 20)])
def test_equals_resizing_and_convolving_up_to_the_rim(mode, size):
    conv, x = drawn(mode, *size)
    expected = resized_and_convolved(conv, x)
    assert torch.equal(conv(x), expected)  # where gradients are wanted
    with torch.no_grad():
        ours = conv(x)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ours, expected.detach(), rtol=0, atol=3e-6)


@torch.no_grad()
def test_the_two_ways_of_enlarging_differ():
    (bilinear, x), (bicubic, _) = drawn("bilinear", 6, 9), drawn("bicubic", 6, 9)
    assert torch.equal(bilinear.weight, bicubic.weight)
    assert float((bilinear(x) - bicubic(x)).abs().max()) > 0.05


@torch.no_grad()
def test_the_kernel_is_made_in_full_precision():
    conv, x = drawn("bicubic", 12, 20)
    with torch.autocast("cpu", torch.bfloat16):
        assert conv._kernel().dtype == torch.float32
        half = conv(x)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), conv(x), rtol=0.05, atol=0.05)


def test_the_weights_are_all_that_is_saved():
    assert list(drawn("bilinear", 1, 1)[0].state_dict()) == ["weight", "bias"]
