"""What configurations refuse, whoever makes them."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from jointvos.config import MODELS, InferenceConfig
from jointvos.errors import ConfigError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crop_size": (64.0, 96.0)}, "crop_size[0] is 64.0, expected int"),
        ({"crop_size": (64,)}, "crop_size is (64,), expected tuple[int, int]"),
        ({"crop_size": (64, 100)}, "crop_size is (64, 100), expected multiples of 16 from 32 up"),
        ({"search_scale": 0}, "search_scale is 0.0, expected more than 0"),
        ({"search_scale": math.nan}, "search_scale is nan, expected a finite number"),
        ({"reach": math.inf}, "reach is inf, expected a finite number"),
        ({"memory_size": 2.5}, "memory_size is 2.5, expected int"),
        ({"memory_size": True}, "memory_size is True, expected int"),
        ({"template_decay": 1.0}, "template_decay is 1.0, expected 0 to below 1"),
        ({"first_template_weight": 1.5}, "first_template_weight is 1.5, expected 0 to 1"),
        ({"scale_change": (1.2, 0.9)}, "scale_change is (1.2, 0.9), expected a limit above 0"),
        ({"scale_change": (0, 1.1)}, "scale_change is (0.0, 1.1), expected a limit above 0"),
        ({"min_target_area": 0}, "min_target_area is 0.0, expected more than 0"),
        ({"redetection_area": -5}, "redetection_area is -5, expected 0 or more"),
        ({"redetection_probability": 2}, "redetection_probability is 2.0, expected 0 to 1"),
        ({"cuts": "jump"}, "cuts is 'jump', expected off, pause, reset"),
        ({"reach": -1, "update_steps": -1}, "reach is -1.0, expected 0 or more; update_steps is"),
    ],
)
def test_values_that_make_no_sense(changes, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        InferenceConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_size": -1}, "kernel_size is -1, expected an odd number from 1 up"),
        ({"key_dim": 0}, "key_dim is 0, expected 1 or more"),
        ({"decoder_dims": (48, 64, 0)}, "decoder_dims is (48, 64, 0), expected widths of 1"),
        ({"pixel_std": (1, 0, 1)}, "pixel_std is (1.0, 0.0, 1.0), expected more than 0"),
        ({"temperature": 0}, "temperature is 0.0, expected more than 0"),
        ({"norm": "batch"}, "norm is 'batch', expected frozen_batch, group"),
    ],
)
def test_networks_that_make_no_sense(changes, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        replace(MODELS["joint-lite"], **changes)


def test_values_of_a_near_type_are_converted():
    config = InferenceConfig(crop_size=[np.int64(64), 96], reach=1, redetection_area=np.uint8(9))
    assert config == InferenceConfig(crop_size=(64, 96), reach=1.0, redetection_area=9)
    assert [type(side) for side in config.crop_size] == [int, int]
    assert type(config.reach) is float
