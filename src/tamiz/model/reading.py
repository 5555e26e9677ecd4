"""Two readings of Windows, one engine: the pages word for word, or what machines did (spec field-evidence.md 1).

`DEVIATIONS` is the whole difference between them. A rule that differs asks `Reading` at its own place; a trace names
the reading it used.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Reading(Enum):
    """`DOCUMENTED` is the default; the value is the word of `--reading`."""

    DOCUMENTED = "documented"
    OBSERVED = "observed"


@dataclass(frozen=True, slots=True)
class Deviation:
    """One subject on which the readings differ, or on which the pages differ among themselves.

    `basis` says on what the observation rests. `differs` is False where both readings do the observed thing, because
    the pages contradict each other and one of them agrees with it.
    """

    id: str
    subject: str
    documented: str
    observed: str
    basis: str
    differs: bool = True


DEVIATIONS: Final = (
    Deviation(
        "R1",
        "a UDP datagram that no socket waits for",
        "INBOUND_IPPACKET, INBOUND_IPPACKET_DISCARD, then the ICMP error out; a block at the discard layer keeps the "
        "error back [D: udp-packet-flows]",
        "INBOUND_IPPACKET, INBOUND_TRANSPORT_DISCARD, then the ICMP error out; a block at the discard layer does not "
        "keep it back",
        "60 audit events of drops in four captures of one host of 2023: all at run-time layer 13, and for 55 of them "
        "an OUTBOUND_ICMP_ERROR drop follows in the same millisecond, so the error was on its way in spite of the drop",
    ),
    Deviation(
        "R2",
        "evaluation after a block",
        "the page says both that a block stops the evaluation and that every sublayer is evaluated "
        "[D: filter-arbitration]",
        "every sublayer is evaluated",
        "a sample event of Microsoft's quarantine page lists a block by three sublayers for one packet "
        "(terminatingFiltersInfo)",
        differs=False,
    ),
    Deviation(
        "R3",
        "a block filter that carries CLEAR_ACTION_RIGHT, below a hard permit",
        "the permit stands: a veto is a callout's block [D: filter-arbitration]",
        "the block wins, as a veto by a filter; a block without the flag loses to the hard permit",
        "simplewall issue 689 and its fix, commit 2b7a4a84: a user's experiment and a vendor's fix, not a statement "
        "of Microsoft",
    ),
    Deviation(
        "R4",
        "the addresses of event 5156 for an inbound datagram",
        "some pages take the source for the local address",
        "the source is the packet's source",
        "36 of 36 matched inbound UDP events against a packet capture",
    ),
)


def deviation(id: str) -> Deviation:
    """The deviation with that id; `KeyError` for any other."""
    return {row.id: row for row in DEVIATIONS}[id]
