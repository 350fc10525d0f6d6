import pytest
import torch

from scales_cli.networks.espcn import ESPCN
from scales_cli.networks.fsrcnn import FSRCNN


@pytest.mark.parametrize("network", [FSRCNN, ESPCN])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_small_networks_enlarge(network, scale):
    assert network(scale)(torch.rand(1, 1, 7, 5)).shape == (1, 1, 7 * scale, 5 * scale)
