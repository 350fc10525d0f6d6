import io
import os

import numpy as np
import pytest

from scales_cli.errors import InputError, OutputError
from scales_cli.imaging import files
from scales_cli.imaging.files import probe_image, read_image, spool, write_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Picture


@pytest.fixture
def picture(photo):
    return Picture(photo)


def test_write_image_goes_by_extension(picture, tmp_path):
    for name, expected in (
        ("a.PNG", "PNG"),
        ("a.jpeg", "JPEG"),
        ("a.webp", "WEBP"),
        ("a.tif", "TIFF"),
        ("a.ppm", "PPM"),
    ):
        write_image(picture, tmp_path / name)
        assert read_image(tmp_path / name).format.name == expected


def test_write_image_returns_what_was_written(picture, tmp_path):
    transparent = Picture(np.dstack([picture.pixels, picture.pixels[..., :1]]))
    written = write_image(transparent, tmp_path / "a.jpg")
    assert written.kind == "rgb"
    assert written.notes


@pytest.mark.parametrize("name", ["a", "a.xyz", "a.eps", ".png"])
def test_write_image_refuses_unknown_extensions(picture, tmp_path, name):
    with pytest.raises(OutputError, match="extension"):
        write_image(picture, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_write_image_replaces_links_not_their_targets(picture, tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "a.png").symlink_to(tmp_path / "precious")
    write_image(picture, tmp_path / "a.png", overwrite=True)
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "a.png").is_symlink()


def test_write_image_heeds_the_umask(picture, tmp_path):
    before = os.umask(0o027)
    try:
        write_image(picture, tmp_path / "a.png")
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640


def test_write_image_names_a_missing_folder(picture, tmp_path):
    with pytest.raises(OutputError, match="No such file"):
        write_image(picture, tmp_path / "missing" / "a.png")


def test_write_image_on_a_full_disk(picture):
    """/dev/full takes nothing; the temporary file is made where `os.open` may."""
    with pytest.raises(OutputError):
        write_image(picture, "/dev/full/a.png")


@pytest.mark.parametrize("name", ["a.bmp", "a.png", "a.jpg", "a.tif", "a.webp", "a.ppm"])
def test_write_image_beyond_the_size_limit(picture, tmp_path, name):
    """As on a full disk, where a write stops half-way."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OutputError, match="File too large"):
            write_image(picture, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_probe_image_reads_the_header_only(picture, tmp_path):
    path = tmp_path / "a.png"
    write_image(picture, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    header = probe_image(path)
    assert (header.width, header.height) == (picture.width, picture.height)
    assert (header.format, header.has_alpha, header.is_grey) == (ImageFormat.PNG, False, False)


def test_probe_image_refuses_empty_files(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match="empty"):
        probe_image(tmp_path / "a.png")


@pytest.mark.parametrize(
    "name", ["100%.png", "[bold]x[bold].png", "new\nline.png", "\u202egnp.png", "a b'\"&;$(x).png", "-x.png"]
)
def test_files_take_hostile_names(picture, tmp_path, name):
    write_image(picture, tmp_path / name)
    assert np.array_equal(read_image(tmp_path / name).pixels, picture.pixels)


def test_files_take_names_that_are_not_unicode(picture, tmp_path):
    path = tmp_path / os.fsdecode(b"\xff\xfe.png")
    write_image(picture, path)
    assert read_image(path).width == picture.width


def test_write_image_leaves_files_that_exist(picture, tmp_path):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists"):
        write_image(picture, target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_write_image_without_hard_links(picture, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "a.png"
    write_image(picture, target)
    before = target.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        write_image(Picture(picture.pixels[:2]), target)
    assert target.read_bytes() == before
    write_image(Picture(picture.pixels[:2]), target, overwrite=True)
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
