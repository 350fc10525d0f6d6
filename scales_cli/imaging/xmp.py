"""XMP packets: what is untrue of the enlarged picture is taken out, everything else stays as it is."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping

MAX_XMP_BYTES = 2**18  # beyond them are mostly thumbnails and other documents' histories
MAX_JPEG_XMP_BYTES = 65_502  # what a segment holds after its signature
_MAX_DEPTH = 64  # of elements; a writer that looks up namespaces takes time quadratic in it

_ADOBE, _GOOGLE = "http://ns.adobe.com/", "http://ns.google.com/photos/1.0/"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"

# Properties of the stored pixels or of the file, places in the picture counted in pixels or before it was turned,
# thumbnails, and pictures that lie in the same file. By namespace, wherever in the packet they stand.
_UNTRUE = {
    _ADOBE + "tiff/1.0/": (
        "BitsPerSample Compression ImageLength ImageWidth NativeDigest Orientation PhotometricInterpretation "
        "PlanarConfiguration ResolutionUnit SamplesPerPixel XResolution YCbCrCoefficients YCbCrPositioning "
        "YCbCrSubSampling YResolution"
    ),
    _ADOBE + "exif/1.0/": (
        "ColorSpace ComponentsConfiguration CompressedBitsPerPixel NativeDigest PixelXDimension PixelYDimension "
        "SubjectArea SubjectLocation"
    ),
    _ADOBE + "photoshop/1.0/": "ColorMode ICCProfile",
    _ADOBE + "xap/1.0/": "Thumbnails",
    _ADOBE + "xmp/note/": "HasExtendedXMP",
    _ADOBE + "hdr-gain-map/1.0/": "Version",
    "http://purl.org/dc/elements/1.1/": "format",
    "http://www.metadataworkinggroup.com/schemas/regions/": "Regions",
    "http://ns.microsoft.com/photo/1.2/": "RegionInfo",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "ImageRegion",
    _GOOGLE + "panorama/": (
        "CroppedAreaImageHeightPixels CroppedAreaImageWidthPixels CroppedAreaLeftPixels CroppedAreaTopPixels "
        "FullPanoHeightPixels FullPanoWidthPixels"
    ),
    _GOOGLE + "container/": "Directory",
    _GOOGLE + "camera/": "MicroVideo MicroVideoOffset MotionPhoto",
    _GOOGLE + "image/": "Data Mime",
    _GOOGLE + "depthmap/": "Data Format Mime",
}
_NAMES = frozenset(f"{{{space}}}{name}" for space, names in _UNTRUE.items() for name in names.split())


def still_true(packet: bytes) -> bytes | None:
    """A packet without what no longer holds, None if nothing else is in it; raises `ValueError` for a broken one."""
    if len(packet) > MAX_XMP_BYTES:
        raise ValueError(f"it has more than {MAX_XMP_BYTES} bytes")
    writer = _Writer()
    parser = ElementTree.XMLParser(target=writer)
    try:
        parser.feed(packet.decode("utf-8-sig").strip("\0 \t\r\n"))
        parser.close()
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from error
    if not writer.is_rdf:
        raise ValueError("it is not RDF")
    return "".join(writer.parts).encode() if writer.has_properties else None


class _Writer(ElementTree.C14NWriterTarget):
    """Writes elements as they are parsed, with the prefixes they have."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.is_rdf = self.has_properties = False
        self._depth = 0
        super().__init__(self.parts.append, exclude_tags=_NAMES, exclude_attrs=_NAMES)

    def doctype(self, *declaration: str | None) -> None:
        """Refuses a document type: no packet has one, and the entities in it may grow without bounds."""
        raise ValueError("it declares a document type")

    def start(self, tag: str, attrs: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("its elements are nested too deeply")
        before = len(self.parts)
        super().start(tag, attrs)
        if len(self.parts) > before:  # else it is left out, or inside of what is
            self.has_properties |= self.is_rdf and any(not name.startswith(_RDF) for name in {tag, *attrs} - _NAMES)
            self.is_rdf |= tag == _RDF + "RDF"

    def end(self, tag: str) -> None:
        self._depth -= 1
        super().end(tag)
