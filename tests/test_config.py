import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scales_cli.config import Degradation, NetworkSpec, TrainConfig
from scales_cli.errors import UsageError

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


def test_spec_and_config_survive_a_dictionary():
    config = TrainConfig(NetworkSpec(scale=3, n_blocks=16, conv_options={"channel_kernel": 7}), steps=5)
    assert TrainConfig.from_dict(config.to_dict()) == config
    photo = TrainConfig(NetworkSpec(planes="ycc", strength=True), degradation=Degradation(blur_sigma=(0.2, 0.4)))
    assert TrainConfig.from_dict(json.loads(json.dumps(photo.to_dict()))) == photo


@pytest.mark.parametrize(
    ("planes", "strength", "inputs", "colors", "outputs"),
    [("luma", False, 1, 1, 16), ("rgb", False, 3, 3, 48), ("ycc", True, 4, 1, 18), ("luma", True, 2, 1, 16)],
)
def test_planes_decide_inputs_and_outputs(planes, strength, inputs, colors, outputs):
    spec = NetworkSpec(planes=planes, strength=strength)
    assert (spec.inputs, spec.colors, spec.outputs) == (inputs, colors, outputs)


@given(st.dictionaries(st.sampled_from(sorted(NetworkSpec().to_dict())) | st.text(), VALUES))
def test_spec_of_anything_is_valid_or_a_usage_error(values):
    try:
        spec = NetworkSpec.from_dict(values)
    except UsageError:
        return
    assert spec.scale in (2, 3, 4)
    assert spec.n_feats % 64 == 0
    assert 1 <= spec.n_blocks <= 256


@pytest.mark.parametrize("values", [None, 3, "tiny", [1]])
def test_from_dict_refuses_what_is_no_table(values):
    for cls in (NetworkSpec, TrainConfig):
        with pytest.raises(UsageError, match="table"):
            cls.from_dict(values)


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
        {"network": {"planes": "cmyk"}},
        {"degradation": {"blur_sigma": [1]}},
        {"degradation": {"blur_sigma": [2, 1]}},
        {"degradation": {"kernels": {}}},
        {"degradation": {"kernels": {"bicubic": "much"}}},
        {"degradation": {"variants": 0}},
        {"degradation": {"rain": 1}},
        {"network": {"n_feats": 96}},
    ],
)
def test_config_refuses_wrong_values(values):
    with pytest.raises(UsageError):
        TrainConfig.from_dict(values)
