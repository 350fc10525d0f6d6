import os

import pytest

from scales_cli.errors import UsageError
from scales_cli.imaging.file_names import NameTemplate


def test_a_template_names_files():
    template = NameTemplate("{model}-{stem}@{scale}x{{}}-{from}{ext}")
    assert template.name("a {b}.gif", "2", "tiny", ".png") == "tiny-a {b}@2x{}-gif.png"


@pytest.mark.parametrize("letter", ["a", "\xe9", "\U0001f4f7"])
def test_long_names_are_cut_in_the_stem(letter):
    name = NameTemplate("{stem}-{stem}_{scale}{ext}").name(letter * 300 + ".gif", "4", "", ".png")
    assert name.endswith("_4.png")
    assert 245 < len(os.fsencode(name)) <= 255


WRONG = [
    "",
    "{stem}",
    "{stem}.png",
    "{}{ext}",
    "{0}{ext}",
    "{name}{ext}",
    "{stem!r}{ext}",
    "{stem:9}{ext}",
    "{stem{ext}",
]
WRONG += ["stem}{ext}", "a/{stem}{ext}", "{stem.__class__}{ext}", "{stem[0]}{ext}", "\0{ext}"]


@pytest.mark.parametrize("text", WRONG)
def test_templates_of_other_things_are_refused(text):
    with pytest.raises(UsageError) as caught:
        NameTemplate(text)
    assert caught.value.hint
