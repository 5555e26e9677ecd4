"""Where the command begins: nothing is imported before Ctrl-C can be answered."""

from __future__ import annotations

import sys

INTERRUPTED = 130  # what a shell reports for SIGINT, as `tamiz.cli.exits` has it


def run() -> None:
    """The console script."""
    try:
        from tamiz.cli.main import run as command

        command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
