"""What a batch keeps of a picture that was looked at, until it is enlarged."""

from __future__ import annotations

from dataclasses import dataclass

from scales_cli.batch.selection import name_of
from scales_cli.imaging.decoding import Header, PackedHeader
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.plan import Job
from scales_cli.pipeline.targets import automatic_format
from scales_cli.storage.locations import Location


@dataclass(frozen=True, slots=True)
class Draft:
    """What a job is made of, beside what all of a batch have in common."""

    source: Location
    target: Location
    header: PackedHeader
    overwrite: bool

    def job(self, enlargement: Enlargement) -> Job:
        header = Header.unpacked(self.header)
        size = enlargement.sizing.result(header.width, header.height)
        image_format = automatic_format(header, size, enlargement.output)
        name = name_of(self.source)
        return Job.of(enlargement, name, self.source, header, self.target, image_format, self.overwrite)
