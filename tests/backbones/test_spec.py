import pytest
from hypothesis import given
from hypothesis import strategies as st

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import UsageError

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


def test_spec_survives_a_dictionary():
    spec = NetworkSpec(scale=3, n_blocks=16, conv_options={"channel_kernel": 7})
    assert NetworkSpec.from_dict(spec.to_dict()) == spec


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
    with pytest.raises(UsageError, match="table"):
        NetworkSpec.from_dict(values)
