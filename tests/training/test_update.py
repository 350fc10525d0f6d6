import pytest

pytest.importorskip("torch")
from dataclasses import replace

import numpy as np
import torch

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import UsageError
from scales_cli.networks.build import build_network
from scales_cli.networks.calibration import calibrate
from scales_cli.training.config import TrainConfig
from scales_cli.training.dataset import Pair, PatchDataset
from scales_cli.training.distributed import ALONE
from scales_cli.training.update import WARM_UP, Update

CONFIG = TrainConfig(NetworkSpec(scale=2, n_blocks=1), batch_size=4, patch_size=8)


@pytest.fixture
def build_update(rng):
    lr = rng.integers(0, 256, (1, 40, 30), dtype=np.uint8)
    pairs = [Pair(lr[None], lr.repeat(2, axis=1).repeat(2, axis=2))]

    def build(config=CONFIG, device="cpu"):
        torch.manual_seed(0)
        dataset = PatchDataset(pairs, 2, config.patch_size, torch.device(device))
        network = build_network(config.network).to(device)
        calibrate(network, dataset.cut(dataset.draw(4, torch.Generator().manual_seed(0)).to(device))[0])
        return Update(network, dataset, config, ALONE, compiled=False)

    return build


def run(update, steps, rate=1e-3):
    generator = torch.Generator().manual_seed(1)
    losses = [update(update.dataset.draw(4, generator), rate, 0.0, 1.0).item() for _ in range(steps)]
    return losses, [value.detach().cpu() for value in update.network.parameters()]


def test_weight_scales_learn_at_their_own_rate(build_update):
    update = build_update(replace(CONFIG, weight_scale_rate=0.0))
    before = [value.detach().clone() for value in update.network.parameters()]
    run(update, 2)
    for (name, value), old in zip(update.network.named_parameters(), before, strict=True):
        assert torch.equal(value, old) == name.endswith(".scale"), name


def test_an_infinite_gradient_shows_in_the_loss(build_update):
    update = build_update()
    update.network.tail.weight.register_hook(lambda gradient: gradient * float("inf"))
    assert not np.isfinite(run(update, 1)[0]).all()


def test_sharpness_is_for_layers_with_thresholds(build_update):
    build_update(replace(CONFIG, sign_sharpness=3.0))
    with pytest.raises(UsageError, match="has none"):
        build_update(replace(CONFIG, sign_sharpness=3.0, network=replace(CONFIG.network, layers="e2fif")))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_replayed_graph_does_what_single_kernels_do(build_update):
    captured, single = build_update(device="cuda"), build_update(device="cuda")
    single.stream = None
    (losses, weights), (expected_losses, expected) = run(captured, WARM_UP + 5), run(single, WARM_UP + 5)
    assert captured.graph is not None
    torch.testing.assert_close(losses, expected_losses, rtol=1e-3, atol=0)
    for value, reference in zip(weights, expected, strict=True):
        torch.testing.assert_close(value, reference, rtol=0, atol=2e-4)
