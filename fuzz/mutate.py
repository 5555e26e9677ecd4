"""Random damage to good inputs: a reader must accept what is left, or refuse it in the one way it promised.

    python -m fuzz.mutate packets --count 100000 --seed 1 --jobs 2
    python -m fuzz.mutate packets --again fuzz/found/packets-1f2e3d4c.bin

A target is a module `fuzz/NAME.py` with

* `seeds() -> list[bytes]`: good inputs, small ones first; they are run untouched before any damage is done;
* `target(data: bytes) -> None`: reads `data`; returning means accepted;
* `ALLOWED: tuple[type[Exception], ...]`: the refusals that the reader promises, nothing broader;
* optionally `TOKENS: tuple[bytes, ...]`: words of the format, which damage may insert or write over;
* optionally `LARGEST: int`: how many bytes an input may have, where a megabyte is too little.

Any other exception, an input that takes longer than the limit, and memory beyond the ceiling end the run; the
input is saved and named. The same seed, count and jobs give the same inputs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import multiprocessing
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

TIME_LIMIT = 5.0  # seconds for one input
MEMORY_LIMIT = 4 << 30  # bytes of address space for one process
LARGEST = 1 << 20  # damage does not make an input longer than this, in bytes
POOL = 512  # accepted mutants kept as further seeds
POOL_BYTES = 64 << 20  # and how large they may be together
FOUND = Path("fuzz/found")

# Damage -------------------------------------------------------------------------------------------

# Numbers at which lengths, counts and signs go wrong, as (value, sizes in bytes that hold it).
_NUMBERS = tuple(
    value.to_bytes(size, order)
    for size in (1, 2, 4, 8)
    for value in sorted(
        {0, 1, 2, 3, 4, 7, 8, 15, 16, 0x7F, 0x80, 0xFE, 0xFF}
        | {(1 << 8 * size) - 1, (1 << 8 * size) - 2, 1 << 8 * size - 1, (1 << 8 * size - 1) - 1}
        | ({0x100, 0xFFF, 0x1000, 0x7FFF, 0x8000} if size > 1 else set())
        | ({0xFFFF, 0x10000, 0xFFFFFF, 0x1000000} if size > 2 else set())
    )
    for order in ("big", "little")
)


@dataclass(frozen=True, slots=True)
class Material:
    """What damage may draw on: chance, the other inputs, the words of the format."""

    random: Random
    others: Sequence[bytes] = ()
    tokens: Sequence[bytes] = ()


def _span(size: int, random: Random) -> tuple[int, int]:
    """A piece of an input of `size` bytes, mostly short."""
    start = random.randrange(size + 1)
    return start, min(size, start + random.choice((1, 1, 2, 4, 8, 16, 64, 256)))


def _flip(data: bytearray, with_: Material) -> None:
    if data:
        data[with_.random.randrange(len(data))] ^= 1 << with_.random.randrange(8)


def _byte(data: bytearray, with_: Material) -> None:
    if data:
        data[with_.random.randrange(len(data))] = with_.random.randrange(256)


def _number(data: bytearray, with_: Material) -> None:
    number = with_.random.choice(_NUMBERS)
    start = with_.random.randrange(max(1, len(data) - len(number) + 1))
    data[start : start + len(number)] = number


def _add(data: bytearray, with_: Material) -> None:
    if data:
        place = with_.random.randrange(len(data))
        data[place] = data[place] + with_.random.randint(-16, 16) & 0xFF


def _truncate(data: bytearray, with_: Material) -> None:
    del data[with_.random.randrange(len(data) + 1) :]


def _delete(data: bytearray, with_: Material) -> None:
    start, end = _span(len(data), with_.random)
    del data[start:end]


def _duplicate(data: bytearray, with_: Material) -> None:
    start, end = _span(len(data), with_.random)
    data[start:start] = data[start:end] * with_.random.choice((1, 1, 1, 2, 16, 100))


def _insert(data: bytearray, with_: Material) -> None:
    start = with_.random.randrange(len(data) + 1)
    data[start:start] = with_.random.randbytes(with_.random.choice((1, 2, 4, 8, 32)))


def _move(data: bytearray, with_: Material) -> None:
    start, end = _span(len(data), with_.random)
    piece = data[start:end]
    del data[start:end]
    place = with_.random.randrange(len(data) + 1)
    data[place:place] = piece


def _splice(data: bytearray, with_: Material) -> None:
    """The beginning of one input and the end of another."""
    if with_.others:
        other = with_.random.choice(with_.others)
        data[with_.random.randrange(len(data) + 1) :] = other[with_.random.randrange(len(other) + 1) :]


def _graft(data: bytearray, with_: Material) -> None:
    """A piece of another input, over or between."""
    if with_.others:
        other = with_.random.choice(with_.others)
        start, end = _span(len(other), with_.random)
        piece = other[start:end]
        place = with_.random.randrange(len(data) + 1)
        data[place : place + with_.random.choice((0, len(piece)))] = piece


def _token(data: bytearray, with_: Material) -> None:
    if with_.tokens:
        token = with_.random.choice(with_.tokens)
        place = with_.random.randrange(len(data) + 1)
        data[place : place + with_.random.choice((0, 0, len(token)))] = token


Damage = Callable[[bytearray, Material], None]
_LIGHT: tuple[Damage, ...] = (_flip, _byte, _number, _add, _token)
_HEAVY: tuple[Damage, ...] = (_truncate, _delete, _duplicate, _insert, _move, _splice, _graft)


def mutations(
    seed: bytes, random: Random, others: Sequence[bytes] = (), tokens: Sequence[bytes] = (), largest: int = LARGEST
) -> bytes:
    """`seed` with one to eight damages, light ones twice as often as those that move or cut bytes; at most `largest`
    bytes of it."""
    data, material = bytearray(seed), Material(random, others, tokens)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4, 8))):
        random.choice(_LIGHT if random.random() < 0.67 else _HEAVY)(data, material)
    return bytes(data[:largest])


# Running ------------------------------------------------------------------------------------------


class Hang(BaseException):
    """The time limit passed. Not an `Exception`, so that a reader's own `except` cannot swallow it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run met. `failure` is the traceback of the input that ended it and `saved` where that input is."""

    target: str
    inputs: int = 0
    refused: int = 0
    accepted: int = 0
    seconds: float = 0.0
    failure: str | None = None
    saved: Path | None = None

    def __add__(self, other: Report) -> Report:
        return Report(
            self.target,
            self.inputs + other.inputs,
            self.refused + other.refused,
            self.accepted + other.accepted,
            max(self.seconds, other.seconds),
            self.failure or other.failure,
            self.saved or other.saved,
        )

    def __str__(self) -> str:
        rate = self.inputs / self.seconds if self.seconds else 0
        line = (
            f"{self.target}: {self.inputs} inputs in {self.seconds:.1f} s ({rate:.0f}/s), "
            f"{self.refused} refused, {self.accepted} accepted"
        )
        return line if self.failure is None else f"{self.failure}{line}, then the one saved in {self.saved}"


@contextlib.contextmanager
def _limits(seconds: float, memory: int) -> Iterator[None]:
    """An alarm that raises `Hang`, ready to be set for each input, and a ceiling for the address space."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang(f"one input took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    ceiling = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _inputs(module: Any, random: Random, pool: list[bytes]) -> Iterator[bytes]:
    """The seeds as they are, then damage without end, half of it to seeds, half to `pool`, which may grow."""
    seeds, tokens = module.seeds(), getattr(module, "TOKENS", ())
    largest = getattr(module, "LARGEST", LARGEST)
    yield from seeds
    pool.extend(seeds)
    while True:
        yield mutations(random.choice(random.choice((seeds, pool))), random, pool, tokens, largest)


def _keep(pool: list[bytes], data: bytes, random: Random, fixed: int) -> None:
    """An accepted mutant becomes a seed for others; beyond `POOL` it replaces an earlier mutant."""
    if len(pool) < fixed + min(POOL, POOL_BYTES // max(1, len(data))):
        pool.append(data)
    elif len(pool) == fixed:
        return
    else:
        pool[random.randrange(fixed, len(pool))] = data


def run(
    module: Any,
    count: int,
    seed: int = 0,
    *,
    limit: float = TIME_LIMIT,
    memory: int = MEMORY_LIMIT,
    save: Path = FOUND,
) -> Report:
    """Gives `count` inputs to `module.target`; ends early, with the input saved, at the first broken promise."""
    name = module.__name__.rpartition(".")[2]
    random, pool, fixed = Random(seed), list[bytes](), len(module.seeds())
    done = refused = accepted = 0
    start = time.perf_counter()
    with _limits(limit, memory):
        for done, data in zip(range(1, count + 1), _inputs(module, random, pool), strict=False):
            signal.setitimer(signal.ITIMER_REAL, limit)
            try:
                module.target(data)
            except module.ALLOWED:
                refused += 1
            except (Exception, Hang):
                signal.setitimer(signal.ITIMER_REAL, 0)
                spent = time.perf_counter() - start
                failure, saved = traceback.format_exc(), _save(save, name, data)
                return Report(name, done, refused, accepted, spent, failure, saved)
            else:
                accepted += 1
                if done > fixed:
                    _keep(pool, data, random, fixed)
    return Report(name, done, refused, accepted, time.perf_counter() - start)


def _save(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:8]}.bin"
    path.write_bytes(data)
    return path


# Several processes --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Share:
    target: str
    count: int
    seed: int
    limit: float
    memory: int
    save: Path


def _work(share: _Share) -> Report:
    module = importlib.import_module(f"fuzz.{share.target}")
    return run(module, share.count, share.seed, limit=share.limit, memory=share.memory, save=share.save)


def run_jobs(share: _Share, jobs: int) -> Report:
    """`share.count` inputs over `jobs` processes, each with its own seed; the first failure ends all of them."""
    counts = [share.count // jobs + (job < share.count % jobs) for job in range(jobs)]
    shares = [
        _Share(share.target, count, share.seed * jobs + job, share.limit, share.memory, share.save)
        for job, count in enumerate(counts)
    ]
    if jobs == 1:
        return _work(shares[0])
    total = Report(share.target)
    with multiprocessing.get_context("spawn").Pool(jobs) as workers:
        for report in workers.imap_unordered(_work, shares):
            total += report
            if report.failure is not None:
                break
    return total


# Command line -------------------------------------------------------------------------------------


def _again(target: str, path: Path, limit: float, memory: int) -> int:
    """One saved input once more, its exception not caught unless it is an allowed refusal."""
    module, data = importlib.import_module(f"fuzz.{target}"), path.read_bytes()
    with _limits(limit, memory):
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            module.target(data)
        except module.ALLOWED as refusal:
            print(f"{path}: refused, as allowed: {type(refusal).__name__}: {refusal}")
        else:
            print(f"{path}: accepted")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: every promise held; 1: one was broken, and the input is saved."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.mutate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", help="a module of fuzz/, without its ending")
    parser.add_argument("--count", type=int, default=100_000, help="inputs, seeds included (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="chance begins here (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (%(default)s)")
    parser.add_argument("--limit", type=float, default=TIME_LIMIT, help="seconds for one input (%(default)s)")
    parser.add_argument("--memory", type=int, default=MEMORY_LIMIT, help="bytes for one process (%(default)s)")
    parser.add_argument("--save", type=Path, default=FOUND, help="where a failing input goes (%(default)s)")
    parser.add_argument("--again", type=Path, metavar="FILE", help="run one saved input, and nothing else")
    options = parser.parse_args(arguments)
    if options.again is not None:
        return _again(options.target, options.again, options.limit, options.memory)
    share = _Share(options.target, options.count, options.seed, options.limit, options.memory, options.save)
    report = run_jobs(share, max(1, options.jobs))
    print(report)
    return 0 if report.failure is None else 1


if __name__ == "__main__":
    sys.exit(main())
