import io
import time
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from scales_cli.imaging.animation import Frame, write_frames
from scales_cli.imaging.encoding import fit_to_format, open_writer
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.output_options import Metadata
from scales_cli.imaging.picture import Picture
from scales_cli.imaging.xmp import MAX_JPEG_XMP_BYTES, MAX_XMP_BYTES, still_true

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "mine": "urn:example:mine",
    "note": "http://ns.adobe.com/xmp/note/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpGImg": "http://ns.adobe.com/xap/1.0/g/img/",
}
THUMBNAIL = "<xmp:Thumbnails><rdf:Alt><rdf:li xmpGImg:image='/9j/'/></rdf:Alt></xmp:Thumbnails>"
TITLE = '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Dom &amp; Häuser</rdf:li></rdf:Alt></dc:title>'


def packet(attributes="", elements="", *, begin='<?xpacket begin="\ufeff" id="W5M0"?>\n', end='<?xpacket end="w"?>'):
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())
    text = (
        f'{begin}<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {spaces} {attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>{end}'
    )
    return text.encode()


PACKET = packet(
    'tiff:Orientation="6" exif:PixelXDimension="23" tiff:Make="Maker" mine:note="kept" note:HasExtendedXMP="0A"',
    f"{TITLE}{THUMBNAIL}<exif:PixelYDimension>17</exif:PixelYDimension><dc:format>image/jpeg</dc:format>",
    end=" " * 300 + '<?xpacket end="w"?>',
)


def properties(xmp):
    """Local names of the description's attributes and elements, with their texts."""
    (description,) = ElementTree.fromstring(xmp).iter(f"{RDF}Description")
    found = {name: value for name, value in description.items() if not name.startswith(RDF)}
    found |= {element.tag: "".join(element.itertext()) for element in description}
    return {name.split("}")[1]: value for name, value in found.items()}


def test_still_true_leaves_out_what_was_true_of_the_input():
    kept = still_true(PACKET)
    assert properties(kept) == {"Make": "Maker", "note": "kept", "title": "Dom & Häuser"}
    assert b'<rdf:li xml:lang="x-default">' in kept
    assert b"mine:note=" in kept  # prefixes stay those of the file
    assert len(kept) < len(PACKET) - 300
    assert kept.startswith(b"<?xpacket begin=")
    assert still_true(kept) == kept


def test_still_true_of_nothing_else():
    assert still_true(packet()) is None
    assert still_true(packet('tiff:Orientation="6"', THUMBNAIL)) is None
    assert still_true(packet('tiff:Make="m"', begin="", end="\0\0")) is not None


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'
BROKEN = {
    "nothing": b"   ",
    "text": b"hello",
    "cut": PACKET[:400],
    "no rdf": b"<a/>",
    "document type": BOMB.encode(),
    "external entity": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "encoding": PACKET.decode().encode("utf-16"),
    "unknown entity": packet("", "<dc:title>&nbsp;</dc:title>"),
    "no such prefix": packet('such:prefix=""'),
    "nested": b"<a>" * 80_000,
    "large": PACKET + b" " * MAX_XMP_BYTES,
}


@pytest.mark.parametrize("name", BROKEN)
def test_still_true_refuses_broken_packets(name):
    with pytest.raises(ValueError, match=r"."):
        still_true(BROKEN[name])


def test_still_true_takes_little_time():
    many = "".join(f'<tiff:Orientation xmlns:a{i}="b{i}"/><c{i}:d xmlns:c{i}="e{i}"/>' for i in range(3000))
    started = time.process_time()
    still_true(packet("", many))
    assert time.process_time() - started < 10


@pytest.fixture
def tagged(saved, photo):
    """The bytes of a picture of a format with a packet."""

    def make(name, xmp=PACKET):
        options = {"xmp": xmp}
        if name == "PNG":
            options = {"pnginfo": PngImagePlugin.PngInfo()}
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
        elif name == "TIFF":
            options = {"tiffinfo": {700: xmp}}
        elif name == "WEBP":
            options["lossless"] = True
        return saved(photo, name, **options)

    return make


def written(picture, image_format):
    stream = io.BytesIO()
    writer = open_writer(picture.layout, image_format, stream)
    writer.write(picture.pixels)
    writer.close()
    return stream.getvalue()


@pytest.mark.parametrize(
    "target", [ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.TIFF], ids=lambda item: item.name
)
@pytest.mark.parametrize("source", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_xmp_is_carried_from_file_to_file(tagged, photo, source, target):
    picture = read_image(tagged(source), metadata=Metadata.KEEP)
    assert picture.xmp == still_true(PACKET)
    assert picture.height == photo.shape[1]  # turned, as the packet says
    assert not picture.notes
    with Image.open(io.BytesIO(written(picture, target))) as result:
        assert result.info["xmp"] == picture.xmp
        result.load()


def test_xmp_of_gif_is_carried(saved, photo):
    plain = saved(Image.fromarray(photo).quantize(16), "GIF")
    start = 13 + (3 << 1 + (plain[10] & 7))
    end = bytes([1, *range(255, -1, -1), 0])  # to whose last byte any chain of pieces comes
    data = b"GIF89a" + plain[6:start] + b"!\xff\x0bXMP DataXMP" + PACKET + end + plain[start:]
    assert read_image(data, metadata=Metadata.KEEP).xmp == still_true(PACKET)
    assert read_image(data).xmp is None


@pytest.mark.parametrize("metadata", [Metadata.SAFE, Metadata.NONE])
def test_xmp_is_left_out_unless_asked_for(tagged, metadata):
    picture = read_image(tagged("JPEG"), metadata=metadata)
    assert (picture.xmp, picture.notes) == (None, ())


def test_broken_xmp_is_left_out_with_a_note(tagged, photo):
    picture = read_image(tagged("PNG", BOMB.encode()), metadata=Metadata.KEEP)
    assert np.array_equal(picture.pixels, photo)
    assert picture.xmp is None
    assert picture.notes == ("its XMP metadata were left out: it declares a document type",)


def test_xmp_that_a_jpeg_cannot_hold_is_left_out(photo):
    fits, larger = (Picture(photo, xmp=PACKET.ljust(MAX_JPEG_XMP_BYTES + extra)) for extra in (0, 1))
    with Image.open(io.BytesIO(written(fits, ImageFormat.JPEG))) as image:
        assert image.info["xmp"] == fits.xmp
    layout = fit_to_format(larger.layout, ImageFormat.JPEG)
    assert layout.xmp is None
    assert layout.notes == ("its XMP metadata were left out: JPEG holds 65502 bytes of them",)
    assert fit_to_format(larger.layout, ImageFormat.PNG).notes == ()
    with Image.open(io.BytesIO(written(larger, ImageFormat.PPM))) as image:
        assert "xmp" not in image.info


@pytest.mark.parametrize("image_format", [ImageFormat.PNG, ImageFormat.WEBP], ids=lambda item: item.name)
def test_animations_carry_xmp(photo, image_format):
    frames = [Frame(np.dstack([photo, 255 - photo[..., :1]]), 40, 0), Frame(np.dstack([photo, photo[..., :1]]), 40, 0)]
    stream = io.BytesIO()
    write_frames(frames, Picture(frames[0].pixels, xmp=PACKET).layout, image_format, stream)
    with Image.open(stream) as image:
        assert (image.n_frames, image.info["xmp"]) == (2, PACKET)
