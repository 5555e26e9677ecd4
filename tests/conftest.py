"""What all tests share: golden outputs (tests/golden), and Hypothesis without a clock, for machines that are busy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tamiz", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tamiz")

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden instead of comparing with it")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: `text` is what tests/golden/NAME holds; with --update-golden it becomes that."""
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.exists(), f"there is no tests/golden/{name}; tools/update_golden writes it"
        assert text == path.read_text("utf-8"), f"not what tests/golden/{name} holds"

    return compare
