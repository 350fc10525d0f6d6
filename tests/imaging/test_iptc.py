from scales_cli.imaging import iptc


def test_many_records_are_read_in_one_go():
    """A megabyte of empty ones, and the padding after them, for each of which all were copied once."""
    records = b"\x1c\x02\x19\0\0" * 2**17
    assert iptc.still_true(records + b"\0") == records
