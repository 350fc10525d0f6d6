"""Which outputs inputs get, and which are in one part of a batch; the files themselves matter to none of it."""

from pathlib import Path, PurePath
from unittest.mock import Mock

import pytest

from scales_cli.batch import BatchRequest
from scales_cli.batch.naming import Naming
from scales_cli.batch.selection import Item
from scales_cli.errors import UsageError
from scales_cli.imaging.file_names import NameTemplate
from scales_cli.imaging.output_options import OutputOptions
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.sizing import Sizing
from scales_cli.pipeline.targets import Claims
from scales_cli.weights.family import resolve


@pytest.fixture
def naming(weights_file, tmp_path):
    family = resolve(weights_file(2))

    def make(names, *, name=None, on_clash="stop", shard=None):
        options = OutputOptions(name=name and NameTemplate(name))
        enlargement = Enlargement(family, Sizing(2), options)
        request = BatchRequest(
            inputs=[], output=tmp_path / "out", enlargement=enlargement, on_clash=on_clash, shard=shard
        )
        history = Mock(output_of=lambda item: None, is_there=lambda target: False)
        return Naming(request, history, [Item(tmp_path / name, PurePath(name)) for name in names])

    return make


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shards_are_the_same_parts_of_the_whole_everywhere(naming, rng, count):
    names = [f"{'ab'[rng.integers(2)]}/{number}{end}" for number in range(20) for end in (".png", ".jpg")]
    shards = [naming(names, shard=(index + 1, count)).items for index in range(count)]
    assert sorted(item.place.as_posix() for shard in shards for item in shard) == sorted(names)
    stems = [{item.place.with_suffix("") for item in shard} for shard in shards]
    assert sum(map(len, stems)) == len(set.union(*stems))  # what could have one output is in one shard
    assert {item.place for item in naming(names[::-1], shard=(1, count)).items} == {item.place for item in shards[0]}


@pytest.mark.parametrize(
    ("names", "template"),
    [
        (["a.jpg", "b.jpg", "c.png"], "holiday{ext}"),
        (["a.jpg", "A.png"], None),  # one file, as some systems see it
        ([f"{'long' * 60}{number}.png" for number in range(4)], None),  # whose names are cut
    ],
)
def test_inputs_of_one_output_are_in_one_shard(naming, names, template):
    assert sorted(len(naming(names, name=template, shard=(index, 2)).items) for index in (1, 2)) == [0, len(names)]


def test_shards_do_not_shift(naming):
    """What comes or goes between the starts of two parts would leave others in none."""
    names = [f"sub/{number}.png" for number in range(400)]
    parts = [naming(names, shard=(index, 4)).items for index in (1, 2, 3, 4)]
    assert all(70 < len(part) < 130 for part in parts)
    for part, index in zip(parts, (1, 2, 3, 4), strict=True):
        places = [item.place for item in part]
        fewer = [item.place for item in naming(["a.png", *names[10:], "z.png"], shard=(index, 4)).items]
        assert [place for place in fewer if place.parent.name] == [
            place for place in places if place.as_posix() in names[10:]
        ]


def test_shards_give_no_numbers(naming):
    with pytest.raises(UsageError, match="numbers of the others"):
        naming(["a.jpg", "a.png"], on_clash="number", shard=(1, 2))


def test_numbers_are_looked_for_once(naming, monkeypatch, tmp_path):
    claims, claim = [], Claims.claim
    monkeypatch.setattr(Claims, "claim", lambda *arguments: claims.append(arguments) or claim(*arguments))
    names = [f"{number}.png" for number in range(100)]
    work = naming(names, on_clash="number")
    target = tmp_path / "out/holiday.png"
    assigned = work.assign([(item, target) for item in work.doubtful(work.items)])
    numbered = [Path(f"holiday-{number}.png") for number in range(2, 101)]
    assert [path.name for path in assigned.values()] == ["holiday.png", *map(str, numbered)]
    assert len(claims) < 3 * len(names)


def test_numbers_step_over_files_of_others(naming, tmp_path):
    work = naming(["a.gif", "a.png"], on_clash="number")
    theirs = tmp_path / "out/a-2.png"
    work._history.is_there = lambda target: target == theirs
    work._history.may_replace = lambda item, target: False
    assigned = work.assign([(item, tmp_path / "out/a.png") for item in work.items])
    assert [path.name for path in assigned.values()] == ["a.png", "a-3.png"]
