"""What is known of a field when a layer is classified (design.md 2.3).

A field is a `Value`, EMPTY (Windows knows there is none), or not known to us: `Unknown`, perhaps with the few values
it can have, or `KnownBits` of a flag word. A field that the caller leaves out is `UNKNOWN`. A token may also be known
in part; that knowledge is inside `Token`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Union

from tamiz.model._tables import DataType
from tamiz.model.keys import FieldKey
from tamiz.model.values import Value


@dataclass(frozen=True, slots=True)
class Unknown:
    """We were not told. `among`: the values it can have, where that is known; else any, EMPTY included."""

    among: tuple[Value, ...] | None = None
    may_be_empty: bool = True

    def __post_init__(self) -> None:
        if self.among == () and not self.may_be_empty:
            raise ValueError("a field that is not EMPTY has a value: found none that it can have")

    def __str__(self) -> str:
        if self.among is None:
            return "unknown"
        return "one of " + ", ".join(str(v) for v in self.among)


@dataclass(frozen=True, slots=True)
class KnownBits:
    """A flag word of which the bits in `known` are known, with their values in `value`; it is not EMPTY."""

    value: int
    known: int
    type: DataType = DataType.UINT32

    def __post_init__(self) -> None:
        if self.value & ~self.known:
            raise ValueError(f"flag bits {self.value & ~self.known:#x} have a value but are not among the known")

    def __str__(self) -> str:
        return f"{self.value:#x} (known bits {self.known:#x})"


Fact = Union[Value, Unknown, KnownBits]
Facts = Mapping[FieldKey, Fact]

UNKNOWN: Final = Unknown()
NOT_EMPTY: Final = Unknown(may_be_empty=False)
