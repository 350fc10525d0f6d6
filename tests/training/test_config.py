import json
import math

import pytest

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import UsageError
from scales_cli.training.config import Degradation, TrainConfig


def test_config_survives_a_dictionary():
    config = TrainConfig(NetworkSpec(scale=3, n_blocks=16, conv_options={"channel_kernel": 7}), steps=5)
    assert TrainConfig.from_dict(config.to_dict()) == config
    photo = TrainConfig(NetworkSpec(planes="ycc", strength=True), degradation=Degradation(blur_sigma=(0.2, 0.4)))
    assert TrainConfig.from_dict(json.loads(json.dumps(photo.to_dict()))) == photo


@pytest.mark.parametrize("values", [None, 3, "tiny", [1]])
def test_from_dict_refuses_what_is_no_table(values):
    with pytest.raises(UsageError, match="table"):
        TrainConfig.from_dict(values)


@pytest.mark.parametrize(
    "values",
    [
        {"steps": 0},
        {"steps": True},
        {"batch_size": 1.5},
        {"learning_rate": 0},
        {"learning_rate": math.nan},
        {"ema_decay": 1.0},
        {"distillation": -1},
        {"warmup_steps": -1},
        {"speed": 3},
        {"distillation_until": -1},
        {"sign_sharpness": 0.5},
        {"sign_sharpness": math.inf},
        {"sign_sharpness": math.nan},
        {"network": {"planes": "cmyk"}},
        {"degradation": {"blur_sigma": [1]}},
        {"degradation": {"blur_sigma": [2, 1]}},
        {"degradation": {"kernels": {}}},
        {"degradation": {"kernels": {"bicubic": 0}}},
        {"degradation": {"kernels": {"sinc": 1}}},
        {"degradation": {"jpeg": 1.5}},
        {"degradation": {"jitter": -0.1}},
        {"network": {"backbone": "rdn", "planes": "ycc"}},
        {"degradation": {"kernels": {"bicubic": "much"}}},
        {"degradation": {"variants": 0}},
        {"degradation": {"webp_quality": [90, 101]}},
        {"seed": 2**64},
        {"degradation": {"rain": 1}},
        {"network": {"n_feats": 96}},
    ],
)
def test_config_refuses_wrong_values(values):
    with pytest.raises(UsageError):
        TrainConfig.from_dict(values)
