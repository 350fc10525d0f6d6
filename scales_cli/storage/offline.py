"""Whether connections may be opened at all."""

import os

OFFLINE = "SCALES_OFFLINE"


def is_offline() -> bool:
    return os.environ.get(OFFLINE, "").lower() not in ("", "0", "no", "off", "false")
