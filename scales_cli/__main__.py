"""`python -m scales_cli`."""

import sys

from scales_cli.cli.app import main

sys.exit(main())
