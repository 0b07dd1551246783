"""`python -m hotloop` is the `hotloop` command."""

import sys

from .cli import main

sys.exit(main())
