import numpy as np
import pytest
from PIL import Image

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import InputError, UsageError
from scales_cli.imaging.resize import imresize
from scales_cli.training import pictures
from scales_cli.training.config import Degradation, TrainConfig
from scales_cli.training.pictures import PairLoader, fingerprint, list_pictures, split_validation
from scales_cli.training.run import load_data

LUMA_X4 = PairLoader(NetworkSpec(scale=4))


def test_load_makes_lr_by_imresize_and_skips_broken_files(tmp_path, rng):
    luma = rng.integers(0, 256, (21, 17), dtype=np.uint8)
    Image.fromarray(luma).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"not a picture")
    with pytest.warns(UserWarning, match=r"b\.png"):
        (pair,) = LUMA_X4.load(list_pictures(tmp_path))
    assert np.array_equal(pair.hr[0], luma[:20, :16])
    assert np.array_equal(pair.lr[0, 0], imresize(luma[:20, :16], 1 / 4))


def test_load_cuts_large_pictures_into_tiles(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(pictures, "TILE", 24)
    rgb = rng.integers(0, 256, (30, 50, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    pairs = list(PairLoader(NetworkSpec(scale=2, planes="rgb")).load(list_pictures(tmp_path)))
    assert [pair.hr.shape for pair in pairs] == [(3, 24, 24), (3, 24, 24)]
    assert np.array_equal(pairs[1].hr, rgb.transpose(2, 0, 1)[:, :24, 24:48])


def test_tiles_of_a_picture_are_about_as_large_as_each_other(tmp_path, monkeypatch):
    """Not 120, 120 and 10: a strip would not be trained on, and count like a picture in validation."""
    monkeypatch.setattr(pictures, "TILE", 120)
    Image.new("L", (250, 60)).save(tmp_path / "a.png")
    widths = {
        least: [pair.hr.shape[2] for pair in PairLoader(NetworkSpec(scale=2), least=least).load([tmp_path / "a.png"])]
        for least in (4, 30)
    }
    assert widths == {4: [84, 84, 82], 30: [84, 84, 82]}
    Image.new("L", (250, 240)).save(tmp_path / "a.png")
    (large, *_) = PairLoader(NetworkSpec(scale=2), least=60).load([tmp_path / "a.png"])
    assert large.shape == (60, 60)  # patches of 60 fit into whole tiles alone


def test_load_reads_16_bits_and_skips_transparent_and_tiny_pictures(tmp_path):
    Image.fromarray(np.full((16, 16), 128 * 257, np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (16, 16), (1, 2, 3, 0)).save(tmp_path / "hidden.png")
    Image.new("L", (16, 7)).save(tmp_path / "tiny.png")
    with pytest.warns(UserWarning, match="skipped") as warned:
        (pair,) = PairLoader(NetworkSpec(scale=2)).load(list_pictures(tmp_path))
    assert len(warned) == 2
    assert (pair.hr == 128).all()


def test_list_pictures_names_an_empty_or_missing_folder(tmp_path):
    with pytest.raises(InputError, match="no pictures"):
        list_pictures(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        list_pictures(tmp_path / "missing")


def test_list_pictures_leaves_out_what_is_hidden(tmp_path):
    folder = tmp_path / ".mine"  # but not what the user names
    for name in ("a.png", ".b.png", "sub/c.png", ".thumbnails/a.png", "sub/.cache/deep/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert list_pictures(folder) == [folder / "a.png", folder / "sub" / "c.png"]


def test_fingerprint_is_of_names_and_sizes(tmp_path):
    folders = [tmp_path / "train", tmp_path / "valid"]
    for folder in folders:
        folder.mkdir()
        (folder / "a.png").write_bytes(b"12")
    first = fingerprint(*folders)
    moved = tmp_path / "moved"
    folders[0].rename(moved)
    assert fingerprint(moved, folders[1]) == first
    (folders[1] / "a.png").write_bytes(b"123")
    assert fingerprint(moved, folders[1]) != first
    assert fingerprint(folders[1], moved) != fingerprint(moved, folders[1])


def test_runs_note_the_pictures_of_all_their_folders(tmp_path, rng):
    for name in ("train", "valid"):
        (tmp_path / name).mkdir()
        Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(tmp_path / name / "a.png")
    config = TrainConfig(NetworkSpec(scale=2), patch_size=8)
    first = load_data(config, tmp_path / "train", tmp_path / "valid").fingerprint
    Image.new("L", (40, 40)).save(tmp_path / "valid" / "a.png")
    assert load_data(config, tmp_path / "train", tmp_path / "valid").fingerprint != first


def test_patches_that_no_tile_holds_are_refused(tmp_path):
    """Larger pictures, which the message on small ones asks for, would not help."""
    with pytest.raises(UsageError, match="larger than the tiles") as caught:
        load_data(TrainConfig(NetworkSpec(scale=4), patch_size=256), tmp_path, None)
    assert "at most 252" in caught.value.hint


def test_a_negative_seed_degrades_too(rng):
    ranges = Degradation(variants=2, drawn=0.0)
    pair = PairLoader(NetworkSpec(planes="ycc"), ranges, seed=-1)._pair(np.zeros((16, 16, 3), np.uint8), None, (0,))
    assert len(pair.strengths) == 2


def test_split_validation_keeps_the_two_apart(tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(40)]
    training, held_out = split_validation(paths)
    assert len(held_out) == 4
    assert sorted(training + held_out) == sorted(paths)


def test_load_gives_versions_with_strengths_and_what_the_chroma_should_be(tmp_path, rng):
    rgb = np.full((48, 40, 3), (200, 60, 20), np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    spec = NetworkSpec(scale=4, planes="ycc", strength=True)
    ranges = Degradation(variants=4, drawn=0.0)
    (pair,) = PairLoader(spec, ranges, seed=3).load(list_pictures(tmp_path))
    assert pair.lr.shape == (4, 3, 12, 10)
    assert pair.strengths[0] == 0.0
    assert all(0 < strength <= 1 for strength in pair.strengths[1:])
    blue, red = 128 + 0.564 * (20 - 97.3), 128 + 0.713 * (200 - 97.3)
    assert np.abs(pair.chroma.reshape(2, -1).T - np.array([blue, red])).max() <= 1
    assert np.abs(pair.lr[0, 1:].astype(int) - pair.chroma).max() <= 1
    (again,) = PairLoader(spec, ranges, seed=3).load(list_pictures(tmp_path))
    assert np.array_equal(pair.lr, again.lr)


def test_draw_adds_the_share_of_drawn_tiles():
    loader = PairLoader(NetworkSpec(scale=4), Degradation(variants=1, drawn=0.5))
    pairs = list(loader.draw(2 * 480**2))
    assert [pair.hr.shape for pair in pairs] == [(1, 480, 480)] * 2
    assert not list(LUMA_X4.draw(10**6))


def test_teacher_pictures_are_found_by_name_and_cut_alike(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(pictures, "TILE", 24)
    data, teacher = tmp_path / "data", tmp_path / "teacher"
    data.mkdir(), teacher.mkdir()
    luma = rng.integers(0, 256, (26, 50), dtype=np.uint8)
    Image.fromarray(luma).save(data / "a.png")
    Image.fromarray(255 - luma[:24, :48]).save(teacher / "a.bmp")
    pairs = list(PairLoader(NetworkSpec(scale=4), teacher=teacher).load(list_pictures(data)))
    assert len(pairs) == 2
    for pair in pairs:
        assert np.array_equal(pair.taught, 255 - pair.hr)


def test_teacher_pictures_that_are_missing_or_of_another_size_are_refused(tmp_path):
    data, teacher = tmp_path / "data", tmp_path / "teacher"
    data.mkdir(), teacher.mkdir()
    Image.new("L", (16, 16)).save(data / "a.png")
    Image.new("L", (16, 16)).save(teacher / "b.png")
    with pytest.raises(InputError, match=r"no picture of a\.png"):
        list(PairLoader(NetworkSpec(scale=4), teacher=teacher).load(list_pictures(data)))
    Image.new("L", (16, 12)).save(teacher / "a.png")
    with pytest.raises(InputError, match="not as large"):
        list(PairLoader(NetworkSpec(scale=4), teacher=teacher).load(list_pictures(data)))
    with pytest.raises(InputError, match="luma"):
        PairLoader(NetworkSpec(scale=4, planes="rgb"), teacher=teacher)


def test_teacher_pictures_of_16_bits_mean_the_same(tmp_path, rng):
    data, teacher = tmp_path / "data", tmp_path / "teacher"
    data.mkdir(), teacher.mkdir()
    pixels = rng.integers(0, 256, (16, 16), dtype=np.uint8)
    Image.fromarray(pixels).save(data / "a.png")
    Image.fromarray(pixels.astype(np.uint16) * 257).save(teacher / "a.png")
    (pair,) = PairLoader(NetworkSpec(scale=4), teacher=teacher).load(list_pictures(data))
    np.testing.assert_array_equal(pair.taught, pair.hr)


def test_transparent_teacher_pictures_are_skipped(tmp_path):
    data, teacher = tmp_path / "data", tmp_path / "teacher"
    data.mkdir(), teacher.mkdir()
    Image.new("L", (16, 16)).save(data / "a.png")
    Image.new("RGBA", (16, 16)).save(teacher / "a.png")
    with pytest.warns(UserWarning, match="transparent"):
        assert not list(PairLoader(NetworkSpec(scale=4), teacher=teacher).load(list_pictures(data)))


@pytest.mark.parametrize("twice", ["data", "teacher"])
def test_with_a_teacher_no_two_pictures_have_one_name(twice, tmp_path):
    for folder in ("data/a", "data/b", "teacher/a", "teacher/b"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("data/a/1.png", "data/b/2.png", "teacher/a/1.png", "teacher/b/2.png", f"{twice}/b/1.png"):
        Image.new("L", (16, 16)).save(tmp_path / name)
    with pytest.raises(InputError, match="have one name"):
        list(PairLoader(NetworkSpec(scale=4), teacher=tmp_path / "teacher").load(list_pictures(tmp_path / "data")))


def test_what_validates_is_not_trained_on(tmp_path, rng):
    (tmp_path / "valid").mkdir()
    for index, folder in enumerate([tmp_path, tmp_path, tmp_path / "valid"]):
        Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(folder / f"{index}.png")
    config = TrainConfig(NetworkSpec(scale=2), patch_size=16)
    with pytest.warns(UserWarning, match="1 pictures of --valid"):
        data = load_data(config, tmp_path, tmp_path / "valid", "cpu")
    assert (len(data.patches.shapes), len(data.validation)) == (2, 1)
    with pytest.raises(InputError, match="all pictures"):
        load_data(config, tmp_path, tmp_path, "cpu")


def test_pictures_that_are_smaller_than_a_patch_are_named(tmp_path, rng):
    for index, side in enumerate((40, 30)):
        Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8)).save(tmp_path / f"{index}.png")
    with pytest.warns(UserWarning, match=r"1\.png is only 30 x 30"):
        data = load_data(TrainConfig(NetworkSpec(scale=2), patch_size=16), tmp_path, None, "cpu")
    assert len(data.patches.shapes) == 1


@pytest.mark.parametrize("readable", [{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}])
def test_broken_pictures_do_not_end_a_training(tmp_path, rng, readable):
    """Of three, of which one is held out, all may be broken but one."""
    for index in range(3):
        Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(tmp_path / f"{index}.png")
        if index not in readable:
            (tmp_path / f"{index}.png").write_bytes((tmp_path / f"{index}.png").read_bytes()[:200])
    config = TrainConfig(NetworkSpec(scale=2), patch_size=16)
    with pytest.warns(UserWarning, match="skipped"):
        data = load_data(config, tmp_path, None, "cpu")
    assert len(data.validation) == 1
    assert len(data.patches.shapes) == max(1, len(readable) - 1)


def test_a_broken_picture_of_a_teacher_costs_only_itself(tmp_path, rng):
    for folder in ("photos", "taught"):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b.png"):
            Image.fromarray(rng.integers(0, 256, (40, 40), dtype=np.uint8)).save(tmp_path / folder / name)
    (tmp_path / "taught/a.png").write_bytes(b"broken")
    loader = PairLoader(NetworkSpec(scale=2), teacher=tmp_path / "taught")
    with pytest.warns(UserWarning, match=r"taught/a\.png"):
        assert len(list(loader.load(list_pictures(tmp_path / "photos")))) == 1
