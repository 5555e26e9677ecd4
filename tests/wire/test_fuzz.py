"""The fuzz runner keeps its own promises, and a short run of both targets of this room finds nothing."""

from __future__ import annotations

import time
from random import Random
from types import SimpleNamespace

import pytest

from fuzz import captures, mutate, packets


def target(name, read, allowed=(KeyError,)):
    return SimpleNamespace(__name__=name, seeds=lambda: [b"seed", b"another seed"], target=read, ALLOWED=allowed)


def test_refusals_and_acceptances_are_counted(tmp_path):
    def read(data):
        if len(data) % 2:
            raise KeyError("odd")

    report = mutate.run(target("odd", read), 1000, save=tmp_path)
    assert report.failure is None and report.inputs == 1000
    assert report.refused + report.accepted == 1000 and report.refused > 100 and report.accepted > 100
    assert "1000 inputs" in str(report)


def test_another_exception_ends_the_run_with_its_input_saved(tmp_path):
    def read(data):
        if not data.startswith((b"s", b"a")):
            raise ZeroDivisionError

    report = mutate.run(target("bad", read), 10_000, save=tmp_path)
    assert report.failure is not None and "ZeroDivisionError" in report.failure
    assert report.saved is not None and not report.saved.read_bytes().startswith((b"s", b"a"))
    assert report.inputs < 10_000


def test_a_hang_ends_the_run_though_the_reader_catches_every_exception(tmp_path):
    def read(data):
        try:
            time.sleep(5)
        except Exception:
            time.sleep(5)

    report = mutate.run(target("slow", read), 10, limit=0.05, save=tmp_path)
    assert report.failure is not None and "longer than 0.05 s" in report.failure
    assert report.saved is not None and report.saved.read_bytes() == b"seed"


def test_the_same_seed_damages_the_same_way():
    first, again, other = (
        [mutate.mutations(b"hello world", random, [b"other"], [b"word"]) for _ in range(50)]
        for random in (Random(1), Random(1), Random(2))
    )
    assert first == again != other


def test_damage_bears_an_empty_input():
    random = Random(3)
    assert any(mutate.mutations(b"", random) for _ in range(200))


@pytest.mark.parametrize("module", [packets, captures], ids=["packets", "captures"])
def test_nothing_but_allowed_refusals(module, tmp_path):
    report = mutate.run(module, 1500, seed=7, save=tmp_path)
    assert report.failure is None, report
    assert report.accepted > 300 and report.refused > 100


@pytest.mark.parametrize("module", [packets, captures], ids=["packets", "captures"])
def test_every_seed_is_accepted(module):
    for seed in module.seeds():
        module.target(seed)
