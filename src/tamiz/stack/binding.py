"""Binding and closing: what a socket holds of the host, and how it gets it back (spec ale.md 12, packet-flows.md 1.7).

A bind meets BIND_REDIRECT with what was asked and RESOURCE_ASSIGNMENT with what was got. Where no address was named
the local address is EMPTY [D: ale-layers]; an implicit bind names neither address nor port: all three are EMPTY
[D: nf-fwpmu-fwpmfilteradd0, "may"].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from tamiz.model._tables import AddressType, ConditionFlags

from .config import FIRST_PORT, LAST_PORT
from .fields import Indication
from .kernel import Kernel
from .requests import ACCESS, IN_USE, INVALID, NOT_AVAILABLE, Failed, Note, Operation
from .rows import Unit
from .sequences import SEQUENCES
from .sockets import Socket, SocketState
from .walk import Stop

_IMPLICIT: Final = ConditionFlags.IS_IMPLICIT_BIND
_WILDCARD: Final = ConditionFlags.IS_WILDCARD_BIND


class Binder:
    """bind(), and the end of an endpoint."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def bind(
        self,
        socket: Socket,
        address: bytes | None,
        port: int,
        *,
        implicit: bool = False,
        operation: str = "bind",
    ) -> Operation[bool]:
        """Bind to `address` (None: every one) and `port` (0: the next dynamic one). `operation` is the call that
        fails with it."""
        error, chosen = self._choose(socket, address, port)
        if error is not None:
            yield Failed(operation, error, socket.id)
            return False
        asked = self._asked(socket, address, port, implicit)
        got = self._got(asked, port, chosen, implicit)
        for row in SEQUENCES["bind"].rows:
            seen = asked if row.layer == "ALE_BIND_REDIRECT" else got
            stop = yield from self._kernel.walk((row,), seen)
            if stop is not None:
                socket.local, socket.port = (address, chosen) if stop.pended else (None, 0)
                return (yield from self._refused(socket, stop, operation))
        self._bound(socket, address, chosen)
        return True

    def complete(self, socket: Socket) -> Operation[bool]:
        """A pended bind completes: the operation is classified again [I]."""
        socket.pending = None
        seen = self._got(self._asked(socket, socket.local, socket.port, False), socket.port, socket.port, False)
        stop = yield from self._kernel.walk(SEQUENCES["bind"].rows[1:], seen)
        if stop is not None:
            return (yield from self._refused(socket, stop, "bind"))
        self._bound(socket, socket.local, socket.port)
        return True

    def _refused(self, socket: Socket, stop: Stop, operation: str) -> Operation[bool]:
        if stop.pended:
            socket.pending = "bind"
            yield Note("the bind is pended by a callout", socket.id)
            return False
        socket.error = ACCESS
        yield Failed(operation, ACCESS, socket.id)
        return False

    def raw(self, socket: Socket, sequence: str, promiscuous: int | None = None) -> Operation[bool]:
        """A raw socket or an ICMP handle is made, or a raw socket set to promiscuous mode (the ioctl's code)."""
        seen = replace(self._asked(socket, socket.local, 0, True), promiscuous=promiscuous)
        stop = yield from self._kernel.walk(SEQUENCES[sequence].rows, seen)
        if stop is not None:
            return (yield from self._refused(socket, stop, "bind"))
        self._bound(socket, socket.local, 0)
        return True

    def release(self, socket: Socket) -> Operation[None]:
        """The endpoint ends: ENDPOINT_CLOSURE and RESOURCE_RELEASE, each where it is due, in that order."""
        yield from self.closure(socket)
        if socket.assigned:
            socket.assigned = False
            rows = SEQUENCES["close"].part(Unit.RESOURCE)
            yield from self._kernel.walk(rows, self._kernel.endpoint(socket))
        socket.state = SocketState.CLOSED

    def closure(self, socket: Socket) -> Operation[None]:
        """ENDPOINT_CLOSURE, once for each authorized endpoint; then its flows are gone."""
        if socket.authorized:
            socket.authorized = False
            rows = SEQUENCES["close"].part(Unit.ENDPOINT)
            yield from self._kernel.walk(rows, self._kernel.endpoint(socket), flow=socket.flow)
        for flow in self._kernel.flows.of_socket(socket.id):
            self._kernel.flows.remove(flow)

    # -- what is asked, what is got ------------------------------------------------------------------

    def _choose(self, socket: Socket, address: bytes | None, port: int) -> tuple[str | None, int]:
        """(error, port)."""
        kernel = self._kernel
        if socket.state is not SocketState.CREATED:
            return INVALID, port
        if address is not None and kernel.interfaces.owner(address) is None:
            return NOT_AVAILABLE, port
        tries: Iterator[int] = iter((port,))
        if not port:
            tries = islice(kernel.config.ports, LAST_PORT - FIRST_PORT + 1)
        for chosen in tries:
            if not kernel.sockets.taken(socket.protocol, socket.version, address, chosen):
                return None, chosen
        return IN_USE, port

    def _asked(self, socket: Socket, address: bytes | None, port: int, implicit: bool) -> Indication:
        network = self._kernel.interfaces
        interface = network.owner(address) if address is not None else None
        unspecified = None if implicit else AddressType.UNSPECIFIED
        flags = ConditionFlags.IS_LOOPBACK if interface and interface.loopback else ConditionFlags(0)
        return Indication(
            socket.version,
            socket.protocol,
            local=address,
            local_port=None if implicit else port,
            local_type=unspecified if address is None else network.address_type(address),
            process=socket.process,
            interface=interface,
            flags=flags | (ConditionFlags.IS_RAW_ENDPOINT if socket.raw else ConditionFlags(0)),
        )

    def _got(self, asked: Indication, port: int, chosen: int, implicit: bool) -> Indication:
        flags = asked.flags
        if asked.local is None or port == 0:
            flags |= _WILDCARD
        if implicit:
            return replace(asked, flags=flags | _IMPLICIT)
        return replace(asked, flags=flags, local_port=chosen)

    def _bound(self, socket: Socket, address: bytes | None, port: int) -> None:
        socket.local, socket.port, socket.assigned = address, port, True
        socket.state = SocketState.BOUND
