"""The keys of ICMP's flows (spec ale.md 1)."""

from __future__ import annotations

from typing import Final

from tamiz.wire import icmp

from .flows import Key

ECHOES: Final = frozenset({(1, 0), (1, 8), (58, 128), (58, 129)})  # (protocol, type): only they have an identifier
_REQUEST_OF: Final = {(icmp.PROTOCOL_V4, 0): 8, (icmp.PROTOCOL_V6, 129): 128}  # a reply is of its request's flow [I]


def icmp_key(protocol: int, local: bytes, remote: bytes, kind: int, code: int, identifier: int) -> Key:
    """A reply belongs to its request's flow; only echo has an identifier."""
    return protocol, local, remote, _REQUEST_OF.get((protocol, kind), kind), code, identifier
