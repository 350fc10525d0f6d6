import numpy as np
import pytest
import torch
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.resize import imresize
from scales_cli.training import dataset
from scales_cli.training.dataset import Pair, PatchDataset, list_pictures, load_pairs, split_validation


def sample(patches, count):
    return patches.cut(patches.draw(count, torch.Generator().manual_seed(0)))


@pytest.fixture
def pairs():
    """Every LR pixel has its own value, and its HR pixels repeat it."""
    lr = np.arange(12 * 10, dtype=np.uint8).reshape(1, 12, 10)
    small = lr[:, :9, :9] + 100
    return [Pair(plane, plane.repeat(2, axis=1).repeat(2, axis=2)) for plane in (lr, np.ascontiguousarray(small))]


def test_patches_stay_aligned_under_flips_and_turns(pairs):
    patches = PatchDataset(pairs, 2, 8, torch.device("cpu"))
    lr, hr, _ = sample(patches, 64)
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
    _, hr, taught = sample(patches, 16)
    torch.testing.assert_close(taught, 1 - hr)


def test_small_pictures_are_left_out(pairs):
    assert len(PatchDataset(pairs, 2, 10, torch.device("cpu")).shapes) == 1
    with pytest.raises(InputError, match="at least 22 x 22"):
        PatchDataset(pairs, 2, 11, torch.device("cpu"))


def test_load_pairs_makes_lr_by_imresize_and_skips_broken_files(tmp_path, rng):
    luma = rng.integers(0, 256, (21, 17), dtype=np.uint8)
    Image.fromarray(luma).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"not a picture")
    with pytest.warns(UserWarning, match=r"b\.png"):
        (pair,) = load_pairs(list_pictures(tmp_path), 4, colors=1)
    assert np.array_equal(pair.hr[0], luma[:20, :16])
    assert np.array_equal(pair.lr[0], imresize(luma[:20, :16], 1 / 4))


def test_load_pairs_cuts_large_pictures_into_tiles(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(dataset, "TILE", 24)
    rgb = rng.integers(0, 256, (30, 50, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    pairs = list(load_pairs(list_pictures(tmp_path), 2, colors=3))
    assert [pair.hr.shape for pair in pairs] == [(3, 24, 24), (3, 24, 24)]
    assert np.array_equal(pairs[1].hr, rgb.transpose(2, 0, 1)[:, :24, 24:48])


def test_load_pairs_reads_16_bits_and_skips_transparent_and_tiny_pictures(tmp_path):
    Image.fromarray(np.full((16, 16), 128 * 257, np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (16, 16), (1, 2, 3, 0)).save(tmp_path / "hidden.png")
    Image.new("L", (16, 7)).save(tmp_path / "tiny.png")
    with pytest.warns(UserWarning, match="skipped") as warned:
        (pair,) = load_pairs(list_pictures(tmp_path), 2, colors=1)
    assert len(warned) == 2
    assert (pair.hr == 128).all()


def test_list_pictures_names_an_empty_or_missing_folder(tmp_path):
    with pytest.raises(InputError, match="no pictures"):
        list_pictures(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        list_pictures(tmp_path / "missing")


def test_split_validation_keeps_the_two_apart(tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(40)]
    training, held_out = split_validation(paths)
    assert len(held_out) == 4
    assert sorted(training + held_out) == sorted(paths)
