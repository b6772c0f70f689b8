"""Attention and the transformer's two halves against numbers recorded from the authors' code.

Recorded tensors have the tokens or frames first and the sequences second.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from jointvos.model.transduction import attention

SCALE = 30.0
TOLERANCE = 2e-5
"""Recorded values reach 4; we differ by 3e-6."""


@pytest.fixture(scope="module")
def reference(recorded) -> dict[str, Tensor]:
    return recorded("attention")


def attend(reference: dict[str, Tensor], key: str, scale: float = SCALE) -> Tensor:
    """One linear map for queries and keys, unit length, Eq. 1."""

    def project(x: Tensor) -> Tensor:
        x = F.linear(x.transpose(0, 1), reference["wk_w"], reference["wk_b"])
        return F.normalize(x, dim=-1)

    value = reference["v"].transpose(0, 1)
    out = attention(project(reference["q"]), project(reference[key]), value, scale)
    return out.transpose(0, 1)


def difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


@pytest.mark.parametrize(
    ("key", "out"),
    [pytest.param("k", "out", id="random keys"), pytest.param("k_zero", "out_zero", id="zero key")],
)
def test_attention(reference, key, out):
    assert difference(attend(reference, key), reference[out]) <= TOLERANCE


def test_a_zero_key_and_the_temperature_are_visible(reference):
    assert difference(attend(reference, "k"), reference["out_zero"]) > 1000 * TOLERANCE
    assert difference(attend(reference, "k", SCALE / 2), reference["out"]) > 1000 * TOLERANCE


@torch.inference_mode()
def test_template_encoder(official_net, reference):
    maps = reference["t_adjusted"].transpose(0, 1)  # [sequences,N,C,h,w]
    encoded = official_net.transduction.self_attend(maps)
    encoded = encoded.view(2, 2, 6, 8, 512).permute(1, 0, 4, 2, 3)  # frames first
    assert difference(encoded[:, :, ::4], reference["t_enc_c4"]) <= TOLERANCE


@torch.inference_mode()
def test_search_decoder(official_net, reference):
    net = official_net.transduction
    memory = net.encode_templates(
        reference["t_adjusted"].transpose(0, 1), reference["t_value"].transpose(0, 1)
    )
    query = net.encode_search(reference["t_query"][0])
    assert difference(net.cross_attend(query, memory, (6, 8)), reference["t_dec"][0]) <= TOLERANCE
