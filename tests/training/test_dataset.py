import numpy as np
import pytest
import torch

from scales_cli.errors import InputError
from scales_cli.training.dataset import Pair, PatchDataset


def sample(patches, count):
    return patches.cut(patches.draw(count, torch.Generator().manual_seed(0)))


@pytest.fixture
def pairs():
    """Every LR pixel has its own value, and its HR pixels repeat it."""
    lr = np.arange(12 * 10, dtype=np.uint8).reshape(1, 12, 10)
    small = lr[:, :9, :9] + 100
    return [Pair(plane[None], plane.repeat(2, axis=1).repeat(2, axis=2)) for plane in (lr, np.ascontiguousarray(small))]


def test_patches_stay_aligned_under_flips_and_turns(pairs):
    patches = PatchDataset(pairs, 2, 8, torch.device("cpu"))
    lr, hr, *_ = sample(patches, 64)
    assert lr.shape == (64, 1, 8, 8)
    assert torch.equal(hr, lr.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_patches_come_from_all_places_in_all_orientations(pairs):
    patches = PatchDataset(pairs[:1], 2, 8, torch.device("cpu"))
    lr, *_ = sample(patches, 256)
    corners = (lr[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]] * 255).round().long()
    steps = corners[:, 1] - corners[:, 0]
    assert set(steps.tolist()) == {7, -7, 70, -70}
    assert corners.min() == 0
    assert corners.max() == 119


def test_taught_pictures_stay_aligned_too(pairs):
    patches = PatchDataset(pairs, 2, 8, torch.device("cpu"))
    patches.teach(lambda lr: 1 - lr.repeat_interleave(2, 2).repeat_interleave(2, 3))
    batch = sample(patches, 16)
    torch.testing.assert_close(batch.taught, 1 - batch.hr)


def test_small_pictures_are_left_out(pairs):
    assert len(PatchDataset(pairs, 2, 10, torch.device("cpu")).shapes) == 1
    with pytest.raises(InputError, match="at least 22 x 22"):
        PatchDataset(pairs, 2, 11, torch.device("cpu"))


def test_patches_come_from_every_version_with_its_strength_and_the_same_truth(rng):
    def pair(height):
        lr = rng.integers(0, 256, (1, height, 10), dtype=np.uint8)
        hr = lr.repeat(2, axis=1).repeat(2, axis=2)
        return Pair(np.stack([lr, 255 - lr]), hr, strengths=(0.0, height / 100), chroma=lr.repeat(2, axis=0), taught=hr)

    patches = PatchDataset([pair(10), pair(12)], 2, 8, torch.device("cpu"), strength=True)
    batch = sample(patches, 64)
    assert batch.lr.shape == (64, 2, 8, 8)
    strength = batch.lr[:, 1]
    assert torch.equal(strength, strength[:, :1, :1].expand_as(strength))
    assert {round(float(value), 2) for value in strength.unique()} == {0.0, 0.10, 0.12}
    clean = torch.where(strength > 0, 1 - batch.lr[:, 0], batch.lr[:, 0])
    torch.testing.assert_close(clean, batch.hr[:, 0, ::2, ::2])
    torch.testing.assert_close(clean, batch.chroma[:, 1])
    assert torch.equal(batch.taught, batch.hr)
