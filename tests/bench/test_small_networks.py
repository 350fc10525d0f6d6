import pytest

from scales_cli.backbones.cost import count
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.contenders import espcn, fsrcnn

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("network", [fsrcnn.fsrcnn, espcn.espcn])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_small_networks_enlarge(network, scale):
    assert network(scale)(torch.rand(1, 1, 7, 5)).shape == (1, 1, 7 * scale, 5 * scale)


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
