"""What planning keeps of each picture: a million of them are planned within some gigabytes."""

import itertools
import tracemalloc

import pytest
from PIL import Image

from scales_cli.batch import BatchRequest, batch
from scales_cli.batch.record import DONE, Record
from scales_cli.batch.record_name import RecordName, version_digest
from scales_cli.pipeline.enlargement import Enlargement
from scales_cli.pipeline.sizing import Sizing
from scales_cli.storage import objects
from scales_cli.storage.locations import locate
from scales_cli.weights.family import resolve

_COUNT = 1000
_LARGE_BYTES = 2**17  # as the interpreter's own table of strings, which grows now and then
_NUMBERS = itertools.count()


@pytest.fixture
def enlargement(weights_file):
    return Enlargement(resolve(weights_file(2)), Sizing(2))


@pytest.fixture
def kept(enlargement):
    """The bytes a picture that this process keeps of a planned batch, and the batch."""
    works = []

    def measure(source, output, *, all_of_them=False):
        request = BatchRequest(
            inputs=[str(source)], output=locate(str(output)), enlargement=enlargement, jobs=1, threads=1
        )
        tracemalloc.start()
        try:
            works.append(batch._Batch(request, lambda status: None))
            works[-1].plan(all_of_them=all_of_them)
            blocks = [trace.size for trace in tracemalloc.take_snapshot().traces]
            return sum(size for size in blocks if size < _LARGE_BYTES) / _COUNT, works[-1]
        finally:
            tracemalloc.stop()

    yield measure
    for work in works:
        work.__exit__()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (9, 7)).save(tmp_path / "one.png")
    data = (tmp_path / "one.png").read_bytes()
    for index in range(_COUNT):
        (tmp_path / f"in/picture {index:05}.png").write_bytes(data)
    return tmp_path


def test_a_picture_in_a_folder_takes_little_until_it_is_looked_at(kept, folder):
    """1 kB; it would be 1.5 with all that `os.stat` tells."""
    most, work = kept(folder / "in", folder / "out")
    assert len(work._items) == _COUNT
    assert most < 1200


def test_a_picture_that_was_looked_at_takes_little(kept, folder):
    """2.2 kB, where what was seen of it has to be kept, as two may share an output; with a dictionary each, 10."""
    most, work = kept(folder / "in", folder / "out", all_of_them=True)
    assert len(work.drafts) == _COUNT
    assert most < 2600


@pytest.fixture
def bucket():
    fsspec = pytest.importorskip("fsspec")
    name, system = f"planning-{next(_NUMBERS)}", fsspec.filesystem("memory")
    for index in range(_COUNT):
        system.pipe_file(f"/{name}/in/picture {index:05}.png", b"x")
    next(objects.entries_of(locate(f"memory://{name}/in")))  # imports what it takes
    return name, system


def test_a_picture_in_a_bucket_takes_little(kept, bucket):
    """0.6 kB; while it is listed, the storage's library has another."""
    name, _ = bucket
    most, work = kept(f"memory://{name}/in", f"memory://{name}/out")
    assert len(work._items) == _COUNT
    assert most < 800


def test_a_picture_in_a_bucket_that_is_done_takes_little(kept, bucket, enlargement):
    """1.5 kB, with what is known of its output and its record."""
    name, system = bucket
    sources, outputs = (locate(f"memory://{name}/{part}") for part in ("in", "out"))
    for index in range(_COUNT):
        system.pipe_file(f"/{name}/out/picture {index:05}_x2.png", b"y")
    made = {address.name: status for address, status in objects.entries_of(outputs)}
    for address, status in objects.entries_of(sources):
        output = address.name.replace(".png", "_x2.png")
        settings = enlargement.fingerprint()
        record = Record(address.name, status.st_size, status.st_mtime_ns, settings, DONE, output, 1, root=str(sources))
        known = RecordName.of(record, version_digest(output, made[output]))
        system.pipe_file(f"/{name}/out/.scales-batch/{known.input[0]}/{known}", record.line)
    most, work = kept(sources, outputs)
    assert len(work.settled) == _COUNT
    assert most < 1800
