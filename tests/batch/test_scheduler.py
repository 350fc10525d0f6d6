from pathlib import Path

import pytest

pytest.importorskip("distributed")

from scales_cli.batch.cluster.scheduler import Scheduler

LOOPBACK = "0100007F"  # as /proc writes it on little-endian machines


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at /proc")
def test_a_local_cluster_is_nobody_elses():
    """Dask's servers of pages, without a login, are within reach of this machine only."""
    scheduler = Scheduler("local:1")
    try:
        assert set(listening()) == {LOOPBACK}
        assert scheduler.description == "scheduler: local:1"
    finally:
        scheduler.close()


def listening():
    """The addresses on which this process listens."""
    own = {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                yield fields[1].partition(":")[0]
