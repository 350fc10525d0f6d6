import pytest

from scales_cli.errors import OutputError
from scales_cli.system.files import replacing


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_replacing_leaves_nothing_behind(tmp_path, error):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")

    def write():
        with replacing(target) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises((error, OutputError)):
        write()
    assert target.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.png"]
