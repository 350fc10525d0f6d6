from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.errors import InputError, UsageError
from scales_cli.evaluation.datasets import find_benchmark, find_benchmarks, recognised
from scales_cli.imaging.resize import imresize


@pytest.fixture
def folder(rng, tmp_path):
    """A set with HR/ and LRbicx2/, of sides that 2 does not divide."""
    root = tmp_path / "Set2"
    for name in ("HR", "LRbicx2"):
        (root / name).mkdir(parents=True)
    for name, shape in (("b.png", (41, 38, 3)), ("a.png", (36, 45))):
        hr = rng.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(hr).save(root / "HR" / name)
        lr = imresize(hr[: shape[0] // 2 * 2, : shape[1] // 2 * 2], 1 / 2)
        Image.fromarray(lr).save(root / "LRbicx2" / name)
    return root


def test_find_benchmark_pairs_files(folder):
    benchmark = find_benchmark(folder, 2)
    assert benchmark.name == "Set2"
    assert [(pair.name, pair.lr.name) for pair in benchmark] == [("a", "a.png"), ("b", "b.png")]


def test_find_benchmark_takes_plain_folders(folder):
    (folder / "HR" / "notes.txt").write_text("no picture")
    (folder / "HR" / "._a.png").write_text("no picture")
    benchmark = find_benchmark(folder / "HR", 2)
    assert [(pair.name, pair.lr) for pair in benchmark] == [("a", None), ("b", None)]


def test_find_benchmark_makes_the_same_lr(folder):
    with_lr, without = find_benchmark(folder, 2), find_benchmark(folder / "HR", 2)
    for first, second in zip(with_lr, without, strict=True):
        for one, other in zip(first.load(2), second.load(2), strict=True):
            assert np.array_equal(one, other)


def test_load_crops_hr_and_replicates_grey(folder):
    grey, color = find_benchmark(folder, 3).pairs
    hr, lr = grey.load(3)
    assert (hr.shape, lr.shape) == ((36, 45, 3), (12, 15, 3))
    assert np.array_equal(hr[..., 0], hr[..., 2])
    assert color.load(3)[0].shape == (39, 36, 3)


def test_find_benchmark_refuses_folders_without_pictures(folder, tmp_path):
    for bad in (tmp_path / "missing", tmp_path, folder / "HR" / "a.png"):
        with pytest.raises(InputError):
            find_benchmark(bad, 2)


@pytest.mark.parametrize("scale", [7, 0, 2.0, "2", None])
def test_find_benchmark_refuses_scales_of_no_network(folder, scale):
    with pytest.raises(UsageError, match=f"scale is {scale!r}"):
        find_benchmark(folder, scale)


@pytest.mark.parametrize("name", [5, "", b"Set5", None])
def test_find_benchmark_refuses_what_names_no_folder(name):
    with pytest.raises(UsageError, match=f"folder is {name!r}"):
        find_benchmark(name, 2)


def test_sets_whose_scores_are_kept_by_name_have_different_ones(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (folder / "LRbicx2").rename(tmp_path / "other" / "HR")
    with pytest.raises(UsageError, match="two folders are called HR"):
        find_benchmarks([folder / "HR", tmp_path / "other" / "HR"], 2)
    assert [item.name for item in find_benchmarks([folder / "HR", tmp_path / "other"], 2)] == ["HR", "other"]


def test_find_benchmark_misses_lr_files(folder):
    (folder / "LRbicx2" / "a.png").unlink()
    with pytest.raises(InputError, match=r"a\.png has no counterpart"):
        find_benchmark(folder, 2)


def test_load_refuses_wrong_sizes(folder):
    Image.new("RGB", (9, 9)).save(folder / "LRbicx2" / "a.png")
    with pytest.raises(InputError, match="expected 22 x 18"):
        find_benchmark(folder, 2).pairs[0].load(2)
    Image.new("RGB", (12, 40)).save(folder / "HR" / "b.png")
    with pytest.raises(InputError, match="too few"):
        find_benchmark(folder / "HR", 2).pairs[1].load(2)


def test_load_refuses_what_has_no_scores(folder):
    Image.new("RGBA", (40, 40)).save(folder / "HR" / "a.png")
    with pytest.raises(InputError, match="transparency"):
        find_benchmark(folder, 2).pairs[0].load(2)
    (folder / "HR" / "b.png").write_text("text")
    with pytest.raises(InputError, match=r"b\.png"):
        find_benchmark(folder, 2).pairs[1].load(2)


def test_recognised_by_folder_or_by_all_names():
    set5 = [Path(f"{name}.png") for name in ("baby", "Bird", "butterfly", "head", "woman")]
    assert recognised(set5) == {"Set5"}
    assert recognised(set5[:4]) == set()
    assert recognised([Path("data/urban100/1.png"), Path("b100.png")]) == {"Urban100"}
