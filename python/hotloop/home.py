"""The folder where data sets and the catalogue are kept."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """``$HOTLOOP_HOME``; ``~/.hotloop`` when the variable is not set."""
    given = os.environ.get("HOTLOOP_HOME")
    return Path(given).expanduser() if given else Path.home() / ".hotloop"
