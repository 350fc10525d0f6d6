"""`python -m scales_cli`, and the command `scales`."""

from __future__ import annotations

import sys


def main() -> int:
    """`cli.app.main`; Ctrl-C is answered quietly even while that is imported."""
    try:
        from scales_cli.cli.app import main as run

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
