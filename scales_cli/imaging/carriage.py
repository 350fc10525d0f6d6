"""Records on their way from one format to another: what each holds, in which place, and a note of what it does not."""

from __future__ import annotations

import dataclasses

from PIL.ExifTags import Base as Tag

from scales_cli.imaging import texts
from scales_cli.imaging.exif import Exif
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.iptc import MAX_SEGMENT_IPTC_BYTES
from scales_cli.imaging.picture import Layout
from scales_cli.imaging.surveys.survey import MAX_TEXT_BYTES
from scales_cli.imaging.texts import Text
from scales_cli.imaging.xmp import MAX_JPEG_XMP_BYTES

_MAX_SEGMENT_BYTES = 65_533  # of JPEG
_TAGS = {
    "Author": Tag.Artist,
    "Copyright": Tag.Copyright,
    "Description": Tag.ImageDescription,
    "Software": Tag.Software,
}


_NAMES = {"EXIF": "EXIF tags", "XMP": "XMP metadata", "IPTC": "IPTC records"}
_NAMED = 5  # texts, in a note

_HELD = {  # beside texts
    ImageFormat.PNG: ("EXIF", "XMP", "IPTC"),
    ImageFormat.JPEG: ("EXIF", "XMP", "IPTC"),
    ImageFormat.TIFF: ("EXIF", "XMP", "IPTC"),
    ImageFormat.WEBP: ("EXIF", "XMP"),
}


def fit_records(layout: Layout, image_format: ImageFormat) -> Layout:
    """The layout with the records that the format holds, where it has a place for them; notes say what was left out."""
    if image_format is ImageFormat.PNG:
        return layout
    held = _HELD.get(image_format, ())
    there = {"EXIF": layout.exif, "XMP": layout.xmp, "IPTC": layout.iptc}
    lost = [_NAMES[name] for name, value in there.items() if value and name not in held]
    if image_format is ImageFormat.JPEG:
        layout = _fit_segments(layout)
    said, kept, lost_texts = _fit_texts(layout, image_format)
    if lost_texts:
        keywords = list(dict.fromkeys(f'"{text.keyword}"' for text in lost_texts))
        more = [f"{len(keywords) - _NAMED} more"] if len(keywords) > _NAMED else []
        lost.append(f"texts {', '.join(keywords[:_NAMED] + more)}")
    note = f"its {' and '.join(lost)} were left out: {image_format.name} has no place for them"
    return dataclasses.replace(
        layout,
        exif=said,
        xmp=layout.xmp if "XMP" in held else None,
        iptc=layout.iptc if "IPTC" in held else None,
        texts=kept,
        notes=(*layout.notes, note) if lost else layout.notes,
    )


def _fit_segments(layout: Layout) -> Layout:
    """Records that fit into segments of JPEG."""
    exif, xmp, iptc, notes = layout.exif, layout.xmp, layout.iptc, list(layout.notes)
    if exif is not None and len(exif) > _MAX_SEGMENT_BYTES:
        exif = Exif.parse(exif).safe().packed()
        notes.append(f"its EXIF was left out but for the usual tags: JPEG holds {_MAX_SEGMENT_BYTES} bytes of it")
        if exif is not None and len(exif) > _MAX_SEGMENT_BYTES:
            exif = None
    if xmp is not None and len(xmp) > MAX_JPEG_XMP_BYTES:
        xmp = None
        notes.append(f"its XMP metadata were left out: JPEG holds {MAX_JPEG_XMP_BYTES} bytes of them")
    if iptc is not None and len(iptc) > MAX_SEGMENT_IPTC_BYTES:
        iptc = None
        notes.append(f"its IPTC records were left out: JPEG holds {MAX_SEGMENT_IPTC_BYTES} bytes of them")
    return dataclasses.replace(layout, exif=exif, xmp=xmp, iptc=iptc, notes=tuple(notes))


def _fit_texts(layout: Layout, image_format: ImageFormat) -> tuple[bytes | None, tuple[Text, ...], tuple[Text, ...]]:
    """EXIF with the texts that it has a free tag for, comments that JPEG holds as texts, and those that were lost."""
    if "EXIF" not in _HELD.get(image_format, ()):
        return None, (), layout.texts
    if not layout.texts:
        return layout.exif, (), ()
    said = Exif(order=">") if layout.exif is None else Exif.parse(layout.exif)
    room = _MAX_SEGMENT_BYTES if image_format is ImageFormat.JPEG else MAX_TEXT_BYTES
    kept, lost = [], []
    for text in layout.texts:
        if text.keyword == texts.COMMENT and image_format is ImageFormat.JPEG and len(text.content or b"") <= room:
            kept.append(text)
        elif (more := _as_tag(said, text, image_format)) is not None and len(more.packed() or b"") <= room:
            said = more
        else:
            lost.append(text)
    return said.packed(), tuple(kept), tuple(lost)


def _as_tag(said: Exif, text: Text, image_format: ImageFormat) -> Exif | None:
    """EXIF with a text, None if it has no place for it.

    Programs that draw pictures look for what they were asked for in certain places: AUTOMATIC1111's in UserComment, in
    big-endian UTF-16 whatever the block's order, ComfyUI's in the names of the camera, of WebP only.
    """
    content = text.utf8
    if content is None:
        return None
    tag, value = _TAGS.get(text.keyword), content
    if text.keyword == "parameters":
        tag, value = Tag.UserComment, b"UNICODE\0" + content.decode().encode("utf-16-be")
    elif image_format is ImageFormat.WEBP and text.keyword in ("prompt", "workflow"):
        tag = Tag.Model if text.keyword == "prompt" else Tag.Make
        value = text.keyword.encode() + b":" + content
    if tag is None or b"\0" in (value if tag != Tag.UserComment else b""):
        return None
    there = said.picture.get(tag) or said.exposure.get(tag)
    if there is None:
        return said.with_text(tag, value)
    return said if there[1].rstrip(b"\0") == value.rstrip(b"\0") else None
