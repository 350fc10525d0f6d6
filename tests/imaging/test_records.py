"""What arrives of EXIF, XMP, IPTC and texts, over a grid of formats, and what is said of the rest."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from scales_cli.imaging.encoding import open_writer
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.output_options import Metadata

UTF8, LATIN1 = "José 日本".encode(), "© Škoda".encode("latin-1", "ignore") + b"\xe9"
SUBSECOND, XP_TITLE, PLACE = b"123456", "Titel ü".encode("utf-16-le"), b"WGS-84-place"
CAPTION, PROMPT, WORKFLOW = "légende".encode(), "a cat, ümlaut\nSteps: 20", '{"nodes": [1, 2]}'
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="packet"/></rdf:RDF></x:xmpmeta>'
)


def directory(entries, position, order):
    """An image file directory by hand: (tag, type, bytes)."""
    sizes = {2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 1: 1}
    table, values = struct.pack(order + "H", len(entries)), b""
    after = position + 2 + 12 * len(entries) + 4
    for tag, kind, value in sorted(entries):
        table += struct.pack(order + "HHI", tag, kind, len(value) // sizes[kind])
        table += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(order + "I", after + len(values))
        values += value + bytes(len(value) % 2) if len(value) > 4 else b""
    return table + bytes(4) + values


def tiff(order, more=(), pixels=b""):
    """An EXIF block, or a TIFF picture where it has pixels."""
    number = lambda value: struct.pack(order + "I", value)  # noqa: E731
    parts = (b"II*\0" if order == "<" else b"MM\0*") + number(8 + len(pixels))
    exposure = [(0x9291, 2, SUBSECOND + b"\0"), (0x829A, 5, number(3) + number(400)), (0xA431, 2, b"serial-no\0")]
    place = [(0, 1, b"\2\3\0\0"), (0x12, 2, PLACE + b"\0"), (2, 5, b"".join(map(number, (52, 1, 30, 1, 1234, 100))))]
    main = [(0x013B, 2, UTF8 + b"\0"), (0x8298, 2, LATIN1 + b"\0"), (0x9C9B, 1, XP_TITLE), *more]
    size = len(directory([*main, (0x8769, 4, bytes(4)), (0x8825, 4, bytes(4))], 0, order))
    at = 8 + len(pixels) + size
    below = directory(exposure, at, order)
    main += [(0x8769, 4, number(at)), (0x8825, 4, number(at + len(below)))]
    return parts + pixels + directory(main, 8 + len(pixels), order) + below + directory(place, at + len(below), order)


def iptc_records():
    return b"\x1c\x02\x78" + struct.pack(">H", len(CAPTION)) + CAPTION


def resources():
    thumbnail = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 4) + b"old!"
    records = iptc_records()
    return thumbnail + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + bytes(len(records) % 2)


def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def make_jpeg(pixels, saved):
    file = saved(pixels, "JPEG", exif=b"Exif\0\0" + tiff(">"), xmp=XMP)
    more = segment(0xED, b"Photoshop 3.0\0" + resources()) + segment(0xFE, b"a comment \xe9")
    return file[:2] + more + file[2:]


def make_png(pixels, saved, chunk):
    file = saved(pixels, exif=tiff("<"))
    profile = resources().hex()
    texts = (
        (b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + XMP),
        (b"tEXt", b"Raw profile type iptc\0\niptc\n   " + f"{len(resources())}\n{profile}\n".encode()),
        (b"iTXt", b"parameters" + bytes(5) + PROMPT.encode()),
        (b"tEXt", b"workflow\0" + WORKFLOW.encode()),
        (b"tEXt", b"Title\0a title"),
        (b"tEXt", b"Description\0described"),
        (b"tEXt", b"Comment\0a comment \xe9"),
    )
    end = file.rindex(b"\0\0\0\0IEND")  # texts may stand behind the pixels
    return (
        file[:33]
        + b"".join(chunk(*text) for text in texts[:4])
        + file[33:end]
        + b"".join(chunk(*text) for text in texts[4:])
        + file[end:]
    )


def make_tiff(pixels, order="<"):
    data = pixels.tobytes() + bytes(pixels.size % 2)
    short = lambda *values: struct.pack(f"{order}{len(values)}H", *values)  # noqa: E731
    number = lambda value: struct.pack(order + "I", value)  # noqa: E731
    height, width = pixels.shape[:2]
    tags = [(256, 4, number(width)), (257, 4, number(height)), (258, 3, short(8, 8, 8)), (259, 3, short(1))]
    tags += [(262, 3, short(2)), (273, 4, number(8)), (277, 3, short(3)), (278, 4, number(height))]
    tags += [(279, 4, number(pixels.size)), (700, 1, XMP), (33723, 7, iptc_records())]
    return tiff(order, tags, data)


def make_jpeg2000(pixels, saved):
    uuids = {
        b"JpgTiffExif->JP2": tiff("<"),
        bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): XMP,
        bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): iptc_records(),
    }
    boxes = [struct.pack(">I", 24 + len(data)) + b"uuid" + uuid + data for uuid, data in uuids.items()]
    return saved(pixels, "JPEG2000") + b"".join(boxes)


def test_records_of_jpeg_2000_arrive(saved, rng):
    file = make_jpeg2000(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8), saved)
    kinds = {kind for kind in KINDS if KINDS[kind][3] == "EXIF"} | {"xmp", "iptc"}
    result, notes = written(file, "PNG", "keep")
    assert (found_in(result), notes) == (kinds, ())
    assert found_in(written(file, "JPEG", "safe")[0]) == {kind for kind in kinds if "safe" in KINDS[kind][2]}


@pytest.fixture(params=["JPEG", "PNG", "WEBP", "TIFF"])
def source(request, rng, saved, png_chunk):
    """A format's name, and a file of it with all that it may say."""
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    make = {
        "JPEG": lambda: make_jpeg(pixels, saved),
        "PNG": lambda: make_png(pixels, saved, png_chunk),
        "WEBP": lambda: saved(pixels, "WEBP", exif=tiff(">"), xmp=XMP),
        "TIFF": lambda: make_tiff(pixels),
    }
    return request.param, make[request.param]()


EXIF_FORMATS, HARMLESS, ALL = {"PNG", "JPEG", "WEBP", "TIFF"}, {"safe", "keep"}, {"keep"}
EVERY = EXIF_FORMATS
# A kind -> what formats say it, which can be told it, with what --metadata, and the word for it in notes.
KINDS = {
    "artist": (EVERY, EXIF_FORMATS, HARMLESS, "EXIF"),
    "copyright": (EVERY, EXIF_FORMATS, HARMLESS, "EXIF"),
    "subsecond": (EVERY, EXIF_FORMATS, HARMLESS, "EXIF"),
    "exposure": (EVERY, EXIF_FORMATS, HARMLESS, "EXIF"),
    "serial": (EVERY, EXIF_FORMATS, ALL, "EXIF"),
    "place": (EVERY, EXIF_FORMATS, ALL, "EXIF"),
    "xp": (EVERY, EXIF_FORMATS, ALL, "EXIF"),
    "xmp": (EVERY, EXIF_FORMATS, ALL, "XMP"),
    "iptc": ({"JPEG", "PNG", "TIFF"}, {"JPEG", "PNG", "TIFF"}, ALL, "IPTC"),
    "parameters": ({"PNG"}, EXIF_FORMATS, ALL, "texts"),
    "workflow": ({"PNG"}, {"PNG", "WEBP"}, ALL, "texts"),
    "title": ({"PNG"}, {"PNG"}, HARMLESS, "texts"),
    "description": ({"PNG"}, EXIF_FORMATS, HARMLESS, "texts"),
    "comment": ({"JPEG", "PNG"}, {"JPEG", "PNG"}, ALL, "texts"),
}


def found_in(file):
    """The kinds that Pillow and a look at the bytes find in a file."""
    image = Image.open(io.BytesIO(file))
    image.load()
    exif = image.getexif()
    exposure, place = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    texts = getattr(image, "text", {})
    profile = texts.get("Raw profile type iptc", "")
    there = {
        "artist": exif.get(0x013B, "").encode("latin-1") == UTF8,
        "copyright": exif.get(0x8298, "").encode("latin-1") == LATIN1,
        "subsecond": exposure.get(0x9291) == SUBSECOND.decode(),
        "exposure": exposure.get(0x829A) == pytest.approx(3 / 400),
        "serial": exposure.get(0xA431) == "serial-no",
        "place": place.get(0x12) == PLACE.decode() and place.get(2) == pytest.approx((52, 30, 12.34)),
        "xp": bytes(exif.get(0x9C9B, b"")) == XP_TITLE,
        "xmp": b"packet" in bytes(image.info.get("xmp", b"")),
        "iptc": CAPTION in file or CAPTION in bytes.fromhex("".join(profile.split("\n")[3:])),
        "parameters": texts.get("parameters") == PROMPT
        or exposure.get(0x9286) == b"UNICODE\0" + PROMPT.encode("utf-16-be"),
        "workflow": texts.get("workflow") == WORKFLOW or exif.get(0x010F) == "workflow:" + WORKFLOW,
        "title": texts.get("Title") == "a title",
        "description": texts.get("Description") == "described" or exif.get(0x010E) == "described",
        "comment": b"a comment \xe9" in file,
    }
    return {kind for kind, value in there.items() if value}


def written(file, target, metadata):
    """The file that a picture becomes, without being enlarged, and the notes."""
    picture = read_image(file, metadata=Metadata(metadata))
    stream = io.BytesIO()
    writer = open_writer(picture.layout, ImageFormat[target], stream)
    writer.write(picture.pixels)
    writer.close()
    return stream.getvalue(), writer.layout.notes


@pytest.mark.parametrize("metadata", ["safe", "keep", "none"])
@pytest.mark.parametrize("target", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"])
def test_records_arrive_or_are_named(source, target, metadata):
    name, file = source
    says = {kind for kind, (sources, *_) in KINDS.items() if name in sources}
    assert found_in(file) == says
    expected = {kind for kind in says if target in KINDS[kind][1] and metadata in KINDS[kind][2]}
    result, notes = written(file, target, metadata)
    assert found_in(result) == expected
    missed = {KINDS[kind][3] for kind in says - expected if metadata in KINDS[kind][2]}
    named = {word for word in ("EXIF", "XMP", "IPTC", "texts") if any(word in note for note in notes)}
    assert named == missed
    assert len(notes) == bool(missed)


@pytest.mark.parametrize("order", "<>")
def test_records_go_through_bigtiff(saved, rng, monkeypatch, order):
    monkeypatch.setattr("scales_cli.imaging.writers.tiff._CLASSIC_BYTES", 0)
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    big, notes = written(saved(pixels, "JPEG", exif=b"Exif\0\0" + tiff(order)), "TIFF", "keep")
    assert big[2] == 43
    kinds = {kind for kind in KINDS if KINDS[kind][3] == "EXIF"}
    assert (found_in(big), notes) == (kinds, ())
    assert found_in(written(big, "JPEG", "keep")[0]) == kinds
    assert found_in(written(make_tiff(pixels, order), "TIFF", "keep")[0]) == kinds | {"xmp", "iptc"}


@pytest.mark.parametrize("length", [40, 120, 170, 250])
def test_read_image_names_damage_in_exif(saved, rng, length):
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    picture = read_image(saved(pixels, exif=tiff("<")[:length]), metadata=Metadata.KEEP)
    assert np.array_equal(picture.pixels, pixels)
    assert "EXIF" in picture.notes[0]


def test_large_exif_goes_to_jpeg_without_unusual_tags(saved, rng):
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    file = saved(pixels, "PNG", exif=tiff("<", [(0x9C9C, 1, bytes(70_000))]))
    result, notes = written(file, "JPEG", "keep")
    assert found_in(result) == {"artist", "copyright", "subsecond", "exposure"}
    assert len(notes) == 1
    assert "EXIF" in notes[0]
    assert found_in(written(file, "WEBP", "keep")[0]) == {kind for kind in KINDS if KINDS[kind][3] == "EXIF"}


def test_places_on_the_map_are_named(rng):
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "TIFF", tiffinfo={33550: (1.0, 1.0, 0.0)})
    result, notes = written(stream.getvalue(), "TIFF", "keep")
    assert 33550 not in Image.open(io.BytesIO(result)).tag_v2
    assert "GeoTIFF" in notes[0]


@pytest.mark.parametrize(
    "text",
    [
        (b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * 1000)),
        (b"zTXt", b"parameters\0\0" + zlib.compress(b"x" * 1000)[:-20]),
        (b"iTXt", b"parameters\0\1\0en\0\0" + zlib.compress("größer".encode())),
        (b"tEXt", b"parameters"),
        (b"tEXt", b"parameters\0gr\xf6\xdfer"),
    ],
)
def test_texts_come_out_of_png_as_they_came_in(saved, png_chunk, rng, text):
    file = saved(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    file = file[:33] + png_chunk(*text) + file[33:]
    picture = read_image(file, metadata=Metadata.KEEP)
    assert png_chunk(*text) in written(file, "PNG", "keep")[0]
    result, notes = written(file, "JPEG", "keep")
    exposure = Image.open(io.BytesIO(result)).getexif().get_ifd(0x8769)
    content = picture.texts[0].utf8
    assert bool(notes) == (content is None)
    assert exposure.get(0x9286) == (None if content is None else b"UNICODE\0" + content.decode().encode("utf-16-be"))


@pytest.mark.parametrize("target", ["JPEG", "TIFF", "WEBP"])
def test_damaged_records_cost_no_picture(saved, png_chunk, rng, target):
    """Whatever bytes are others, what is left of the records is written, and can be read."""
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    plain, block, records = saved(pixels), tiff(">"), resources()
    for _ in range(120):
        blocks = [bytearray(block), bytearray(records)]
        for part in blocks:
            for place in rng.integers(0, len(part), rng.integers(1, 6)):
                part[place] = rng.choice([0, 1, 2, 127, 128, 255, int(rng.integers(256))])
        cut = [part[: rng.integers(1, len(part) + 1)] if rng.random() < 0.3 else part for part in blocks]
        profile = f"\niptc\n   {len(cut[1])}\n{cut[1].hex()}\n".encode()
        chunks = png_chunk(b"eXIf", bytes(cut[0])) + png_chunk(b"tEXt", b"Raw profile type iptc\0" + profile)
        result, _ = written(plain[:33] + chunks + plain[33:], target, "keep")
        picture = read_image(result, metadata=Metadata.KEEP)
        assert picture.pixels.shape == pixels.shape
        assert not any("EXIF" in note for note in picture.notes)
