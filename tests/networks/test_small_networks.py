import pytest
import torch
from torch import nn

from scales_cli.config import NetworkSpec
from scales_cli.evaluation.cost import count, espcn, fsrcnn, parts_of
from scales_cli.networks.build import build_network
from scales_cli.networks.espcn import ESPCN
from scales_cli.networks.fsrcnn import FSRCNN


@pytest.mark.parametrize("network", [FSRCNN, ESPCN])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_small_networks_enlarge(network, scale):
    assert network(scale)(torch.rand(1, 1, 7, 5)).shape == (1, 1, 7 * scale, 5 * scale)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_parameters_are_those_of_the_convolutions(scale):
    spec = NetworkSpec(scale=scale, conv="float")
    networks = (
        (FSRCNN(scale), fsrcnn()),
        (ESPCN(scale), espcn(scale)),
        (build_network(spec), parts_of(spec)),
    )
    for network, convs in networks:
        counted = [
            parameter.numel()
            for name, parameter in network.named_parameters()
            if not isinstance(network.get_submodule(name.rpartition(".")[0]), nn.PReLU)
        ]
        assert count(convs).parameters == sum(counted)
