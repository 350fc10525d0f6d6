import io
import os
from pathlib import Path

import numpy as np
import pytest

from scales_cli.errors import InputError, OutputError
from scales_cli.imaging import files
from scales_cli.imaging.encoding import open_writer
from scales_cli.imaging.files import probe_image, read_image, spool
from scales_cli.imaging.formats import ImageFormat, format_for
from scales_cli.imaging.picture import Picture
from scales_cli.system.files import replacing


@pytest.fixture
def picture(photo):
    return Picture(photo)


@pytest.fixture
def write():
    """Writes a picture whole or not at all, in the format of its extension."""

    def write_file(picture, path, overwrite=False):
        with replacing(Path(path), overwrite=overwrite) as stream:
            writer = open_writer(picture.layout, format_for(Path(path)), stream)
            writer.write(picture.pixels)
            writer.close()

    return write_file


def test_writing_replaces_links_not_their_targets(picture, write, tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "a.png").symlink_to(tmp_path / "precious")
    write(picture, tmp_path / "a.png", overwrite=True)
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "a.png").is_symlink()


def test_writing_heeds_the_umask(picture, write, tmp_path):
    before = os.umask(0o027)
    try:
        write(picture, tmp_path / "a.png")
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640


def test_writing_names_a_missing_folder(picture, write, tmp_path):
    with pytest.raises(OutputError, match="No such file"):
        write(picture, tmp_path / "missing" / "a.png")


def test_writing_on_a_full_disk(picture, write):
    """/dev/full takes nothing; the temporary file is made where `os.open` may."""
    with pytest.raises(OutputError):
        write(picture, "/dev/full/a.png")


@pytest.mark.parametrize("name", ["a.bmp", "a.png", "a.jpg", "a.tif", "a.webp", "a.ppm"])
def test_writing_beyond_the_size_limit(picture, write, tmp_path, name):
    """As on a full disk, where a write stops half-way."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OutputError, match="File too large"):
            write(picture, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_probe_image_reads_the_header_only(picture, write, tmp_path):
    path = tmp_path / "a.png"
    write(picture, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    header = probe_image(path)
    assert (header.width, header.height) == (picture.width, picture.height)
    assert (header.format, header.has_alpha, header.is_grey) == (ImageFormat.PNG, False, False)


def test_probe_image_tells_a_path_from_permissions(tmp_path, monkeypatch):
    with pytest.raises(InputError) as caught:
        probe_image(tmp_path / "a.png")
    assert caught.value.hint == "check the path"
    (tmp_path / "a.png").write_bytes(b"")

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError) as caught:
        probe_image(tmp_path / "a.png")
    assert caught.value.hint == "check its permissions"


def test_probe_image_refuses_empty_files(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match="empty"):
        probe_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    "name", ["100%.png", "[bold]x[bold].png", "new\nline.png", "\u202egnp.png", "a b'\"&;$(x).png", "-x.png"]
)
def test_files_take_hostile_names(picture, write, tmp_path, name):
    write(picture, tmp_path / name)
    assert np.array_equal(read_image(tmp_path / name).pixels, picture.pixels)


def test_files_take_names_that_are_not_unicode(picture, write, tmp_path):
    path = tmp_path / os.fsdecode(b"\xff\xfe.png")
    write(picture, path)
    assert read_image(path).width == picture.width


def test_writing_leaves_files_that_exist(picture, write, tmp_path):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists"):
        write(picture, target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_writing_without_hard_links(picture, write, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "a.png"
    write(picture, target)
    before = target.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        write(Picture(picture.pixels[:2]), target)
    assert target.read_bytes() == before
    write(Picture(picture.pixels[:2]), target, overwrite=True)
    assert read_image(target).height == 2
    assert list(tmp_path.iterdir()) == [target]


def test_spool_asks_for_little_at_a_time(monkeypatch):
    class Modest(io.BytesIO):
        def read(self, size=-1):
            assert 0 < size <= 2**24
            return super().read(min(size, 3))

    def spooled(data):
        with spool(Modest(data)) as file:
            file.seek(0)
            return file.read()

    assert spooled(b"0123456789") == b"0123456789"
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    assert spooled(b"0123456789") == b"0123456789"
    with pytest.raises(InputError, match="more than 10 bytes"):
        spooled(b"0123456789a")
