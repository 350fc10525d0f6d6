import numpy as np
import pytest
import torch

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.torch.packing import pack, pack_conv, unpack
from scales_cli.engine.torch.reference_engine import ReferenceEngine
from scales_cli.errors import UsageError
from scales_cli.layers.scales import ScalesConv2d
from scales_cli.networks.build import build_network
from scales_cli.weights.packed import as_signs, load_packed


def trained_like(spec):
    """A network with every parameter moved away from its neutral start, learned scales of both signs included."""
    torch.manual_seed(0)
    network = build_network(spec)
    with torch.no_grad():
        for layer in network.body:
            if layer.binarize is not None:
                layer.binarize.alpha.fill_(0.3)
                layer.binarize.beta.normal_(0, 0.1)
            if layer.scale is not None:
                layer.scale.normal_(0, 0.01)
            for parameter in layer.activation.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return network.requires_grad_(False)


def test_packed_bits_have_words_by_channel_and_the_sign_of_the_scale():
    layer = ScalesConv2d(128, 2)
    weight = -torch.ones(2, 128, 3, 3)
    weight[0, 1, 2, 0] = 1.0
    weight[0, 64, 2, 0] = 0.0
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.scale.copy_(torch.tensor([1.0, -1.0]))
    words = pack_conv(layer)["bits"]
    assert words.shape == (2, 3, 3, 2)
    assert words[0, 2, 0].tolist() == [2, 1]
    assert words[0, 0, 0].tolist() == [0, 0]
    assert (words[1] == np.uint64(2**64 - 1)).all()
    assert np.array_equal(np.moveaxis(as_signs(words, 128), -1, 1)[0], np.where(weight[0] >= 0, 1, -1))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "prelu", "channel_kernel": 3},
        {"activation": "none", "gate_factor": 1.0},
        {"weight_scale": "mean", "channel_kernel": 7},
        {"layerwise": False, "spatial": False, "channel": False},
        {"spatial": False, "gate_factor": 1.5},
        {"channel": False},
    ],
)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_packed_network_computes_what_the_trained_one_does(options, scale, rng, tmp_path):
    network = trained_like(NetworkSpec(scale=scale, n_blocks=2, conv_options=options))
    path = tmp_path / "model.safetensors"
    pack(network, {"steps": 1}).save(path)
    planes = rng.random((1, 13, 11), dtype=np.float32)
    expected = network.residual(torch.from_numpy(planes)[None])[0].numpy()
    packed = ReferenceEngine(unpack(load_packed(path))).residual(planes)
    np.testing.assert_allclose(packed, expected, atol=2e-6)


@pytest.mark.parametrize("planes", ["luma", "ycc"])
def test_packing_again_gives_the_same_integers(planes):
    network = trained_like(NetworkSpec(scale=2, planes=planes, n_blocks=1))
    with torch.no_grad():
        network.tail.calibrate(torch.randn(1, 64, 5, 5) * torch.rand(64, 1, 1))
        network.tail.weight[1] = 0
    first = pack(network, {})
    assert first.tensors["tail.weight"].dtype == np.int8
    assert (
        np.abs(first.tensors["tail.weight"]).max((1, 2, 3)) == np.where(np.arange(network.spec.outputs) == 1, 0, 64)
    ).all()
    again = pack(unpack(first), {})
    for name, tensor in first.tensors.items():
        if name == "tail.scale":
            np.testing.assert_array_max_ulp(again.tensors[name], tensor, maxulp=2)
        else:
            assert np.array_equal(again.tensors[name], tensor), name


def test_random_weights_are_rounded_as_packed_ones_are(random_weights):
    weights = random_weights(n_blocks=1)
    assert np.array_equal(pack(unpack(weights), {}).tensors["tail.weight"], weights.tensors["tail.weight"])


def test_pack_refuses_a_body_without_bits():
    with pytest.raises(UsageError, match="no packed form"):
        pack(build_network(NetworkSpec(layers="float", n_blocks=1)), {})


def test_tiny_x4_fits_its_size(tmp_path):
    path = tmp_path / "model.safetensors"
    pack(build_network(NetworkSpec(scale=4)), {"note": "x" * 2000}).save(path)
    assert path.stat().st_size <= 70 * 1024
