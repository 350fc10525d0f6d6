import pytest

from scales_cli.backbones.cost import count
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.contenders import espcn, fsrcnn
from scales_cli.bench.contenders.plain import PLAIN_SHAPES, SCORES, plain_network, plain_parts

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("network", [fsrcnn.fsrcnn, espcn.espcn])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_small_networks_enlarge(network, scale):
    assert network(scale)(torch.rand(1, 1, 7, 5)).shape == (1, 1, 7 * scale, 5 * scale)


@pytest.mark.parametrize(("name", "parameters"), [("ecbsr-m4c32", 51_920), ("ecbsr-m6c40", 105_368)])
def test_plain_networks_are_as_large_as_the_released_ones(name, parameters):
    network = plain_network(name, 4)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    x = torch.rand(1, 3, 7, 5)
    large = network(x)
    assert large.shape == (1, 3, 28, 20)
    torch.nn.init.zeros_(network[-1].weight)
    torch.nn.init.zeros_(network[-1].bias)
    assert torch.equal(network(x), x.repeat_interleave(4, 2).repeat_interleave(4, 3))
    slopes = sum(module.num_parameters for module in network if isinstance(module, torch.nn.PReLU))
    assert count(plain_parts(name, 4)).parameters == parameters - slopes
    assert {score.network for score in SCORES} == set(PLAIN_SHAPES)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_parameters_are_those_of_the_convolutions(scale):
    from scales_cli.networks.build import build_network

    spec = NetworkSpec(scale=scale, layers="float")
    networks = (
        (fsrcnn.fsrcnn(scale), fsrcnn.fsrcnn_parts()),
        (espcn.espcn(scale), espcn.espcn_parts(scale)),
        (build_network(spec), spec.parts()),
    )
    for network, convs in networks:
        counted = [
            parameter.numel()
            for name, parameter in network.named_parameters()
            if not isinstance(network.get_submodule(name.rpartition(".")[0]), torch.nn.PReLU)
        ]
        assert count(convs).parameters == sum(counted)
