"""Rows and sequences: the form of the packet-flow tables (`sequences` holds them, `blocks` what follows a block).

A row names a base layer ("ALE_AUTH_CONNECT"), from which `layer_key` makes the V4 or V6 layer. A row is left out
where its Windows version, its reading, or its `Condition` says so. A row whose layer is `CREATING` stands for the
layer that created the flow; one whose layer is None meets no layer. `Unit` says for what a row is met once: a TCP send
meets STREAM once for the data, and the other rows once for each segment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Final, Literal

from tamiz.model._tables import ConditionFlags
from tamiz.model.keys import LayerKey
from tamiz.model.reading import Reading
from tamiz.model.windows import VISTA, WindowsVersion

from .requests import Way

Mark = Literal["D", "I", "O"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule comes from."""

    page: str
    section: str
    mark: Mark

    def __str__(self) -> str:
        return f"[{self.mark}] {self.page}, section {self.section}"


class Condition(Enum):
    """When a row is there."""

    ALWAYS = "always"
    IN_USE = "a filter is at the layer"


class Unit(Enum):
    """For what a row is met once."""

    CALL = "call"
    FLOW = "flow"
    DATA = "application data"
    SEGMENT = "segment or message"
    DATAGRAM = "IP datagram"
    ENDPOINT = "authorized endpoint"
    RESOURCE = "assigned resource"


CREATING: Final = "the layer that created the flow"


@dataclass(frozen=True, slots=True)
class Row:
    """One step. `packet` None: the word of the packet at hand; "" : no packet goes with the indication."""

    layer: str | None
    event: str
    unit: Unit
    source: Source
    direction: Way | None = None
    packet: str | None = None
    flags: ConditionFlags = ConditionFlags(0)
    since: WindowsVersion = VISTA
    reading: Reading | None = None
    when: Condition = Condition.ALWAYS
    note: str = ""

    def applies(self, windows: WindowsVersion, reading: Reading) -> bool:
        """Whether the row is there for that version and reading; `when` is the host's to ask."""
        return windows >= self.since and self.reading in (None, reading)


@dataclass(frozen=True, slots=True)
class Sequence:
    """One event at one host."""

    name: str
    title: str
    rows: tuple[Row, ...]

    def part(self, *units: Unit) -> tuple[Row, ...]:
        """The rows met once for one of `units`."""
        return tuple(row for row in self.rows if row.unit in units)

    def without(self, *units: Unit) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.unit not in units)


@cache
def layer_key(base: str, version: int) -> LayerKey:
    """The FWPM_LAYER_ name of a base name for IP version 4 or 6; a discard layer's suffix comes last."""
    stem = base.removesuffix("_DISCARD")
    return LayerKey(f"FWPM_LAYER_{stem}_V{version}{'_DISCARD' if stem != base else ''}")


@cache
def base_name(layer: LayerKey) -> str:
    """The base name of a layer: "INBOUND_TRANSPORT_DISCARD" of FWPM_LAYER_INBOUND_TRANSPORT_V6_DISCARD."""
    return layer.short.replace("_V4", "").replace("_V6", "")


def expand(
    sequence: Sequence, version: int, windows: WindowsVersion, reading: Reading = Reading.DOCUMENTED
) -> Iterator[LayerKey]:
    """The layers of a sequence without conditional rows, as the flow pages list them."""
    for row in sequence.rows:
        if row.layer and row.when is Condition.ALWAYS and row.applies(windows, reading):
            yield layer_key("ALE_AUTH_RECV_ACCEPT" if row.layer == CREATING else row.layer, version)
