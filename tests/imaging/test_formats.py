import copy
import dataclasses
import pickle
from pathlib import PurePath

import numpy as np
import pytest

from scales_cli.imaging.encoding import encoding_bytes
from scales_cli.imaging.formats import ImageFormat, format_named, is_picture_name, is_unread_picture_name
from scales_cli.imaging.output_options import OutputOptions
from scales_cli.imaging.picture import Layout


@pytest.mark.parametrize("image_format", ImageFormat, ids=lambda item: item.name)
def test_formats_are_the_same_objects_after_pickling(image_format):
    """As they are in a worker process: formats are compared by identity."""
    layout = Layout(4000, 3200, 3, np.dtype(np.uint8), format=image_format)
    for copied in (pickle.loads(pickle.dumps(layout)), copy.deepcopy(layout), dataclasses.replace(layout)):
        assert copied.format is image_format
    if image_format.writable:
        options = pickle.loads(pickle.dumps(OutputOptions(image_format)))
        assert encoding_bytes(options.applied(layout), options.format) == encoding_bytes(layout, image_format)


def test_format_named_knows_what_pillow_calls_them():
    assert format_named("MPO") is ImageFormat.JPEG
    assert format_named("DIB") is ImageFormat.BMP
    assert format_named("JPEG2000") is ImageFormat.JPEG2000
    assert format_named("EPS") is format_named(None) is None


@pytest.mark.parametrize(
    ("name", "expected"), [("a.PNG", True), ("a.mpo", True), ("a.b/c.jpg", True), (".a.png", False), ("png", False)]
)
def test_is_picture_name(name, expected):
    assert is_picture_name(PurePath(name)) == expected


def test_names_of_pictures_that_are_not_read_are_no_others():
    """What is read is not counted as left out, in whatever case; what is no picture is neither."""
    for name in ("a.PSD", "b.gpr", "c.raw", "d.jls", "e.eps", "f.fits", "g.icns", "h.Ora"):
        assert is_unread_picture_name(PurePath(name))
        assert not is_picture_name(PurePath(name))
    for item in ImageFormat:
        assert not (item.is_read and is_unread_picture_name(PurePath(f"a{item.extensions[0]}")))
    assert not any(is_unread_picture_name(PurePath(name)) for name in ("a.txt", "b.mov", "c.pdf", "raw", "d.xmp"))
