"""Where the answer keys are: real dumps and logs, which are read beside the project and are no part of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).parents[2] / "shared"


def shared(path: str) -> Path:
    """The file or folder `path` of the shared data (TAMIZ_SHARED, else `../shared`).

    Without it a test skips on a laptop, with the reason, and fails in CI (CI=true).
    """
    found = Path(os.environ.get("TAMIZ_SHARED") or _DEFAULT) / path
    if not found.exists():
        reason = f"needs {path} of the shared data, which is not part of the project"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}; in CI it must be there")
        pytest.skip(reason)
    return found
