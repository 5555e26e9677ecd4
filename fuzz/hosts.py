"""Damage to packets that arrive at a host with listeners, connections and sockets: it drops them and lives on.

Unlike `packets`, which reads them, this hands them to the stack: nothing may be raised, and the host must still answer
an echo request afterwards.
"""

from __future__ import annotations

from tamiz.drive.node import Node
from tamiz.engine.engine import Engine
from tamiz.model.policy import Policy
from tamiz.stack.host import Host
from tamiz.stack.interfaces import Interface, luid
from tamiz.stack.sockets import Endpoint
from tamiz.wire import icmp
from tamiz.wire.packet import between, build, dissect
from tamiz.wire.tcp import NO_OPTIONS, Segment, TcpFlags
from tamiz.wire.udp import Datagram

ALLOWED: tuple[type[Exception], ...] = ()

_HERE, _THERE = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
_HERE6, _THERE6 = bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")
_ENGINE = Engine(Policy())
_SECOND = 1_000_000_000
_LIFETIME = 500  # inputs of one host, so that what one packet does meets the next

_state: dict[str, object] = {}


def seeds() -> list[bytes]:
    pairs = ((_THERE, _HERE), (_THERE6, _HERE6))
    flags = (TcpFlags.SYN, TcpFlags.ACK, TcpFlags.RST, TcpFlags.FIN | TcpFlags.ACK, TcpFlags.SYN | TcpFlags.ACK)
    made = []
    for src, dst in pairs:
        version = 4 if len(src) == 4 else 6
        for flag in flags:
            for port in (80, 81, 49_152):
                made.append(build(between(src, dst, Segment(5000, port, 7, 1_000_001, flag, 4096, 0, NO_OPTIONS, b""))))
        made.append(build(between(src, dst, Segment(5000, 80, 8, 1, TcpFlags.ACK, 4096, 0, NO_OPTIONS, b"data"))))
        made += [build(between(src, dst, Datagram(5000, port, b"hello"))) for port in (53, 54)]
        echo = icmp.echo(version, reply=False, identifier=1, sequence=1, payload=b"ping")
        made.append(build(between(src, dst, echo)))
        made.append(
            build(between(src, dst, icmp.port_unreachable(version, build(between(dst, src, Datagram(53, 5000, b"x"))))))
        )
    return made


def target(data: bytes) -> None:
    node, now = _node()
    node.packet_in(data, now)
    node.packet_in(_mended(data), now)
    node.tick(now)
    echo = icmp.echo(4, reply=False, identifier=9, sequence=1, payload=b"alive?")
    answers = node.packet_in(build(between(_THERE, _HERE, echo)), now)
    assert any(dissect(answer).ip.dst == _THERE for answer in answers), "the host answers no echo any more"


def _mended(data: bytes) -> bytes:
    """The packet with right checksums and lengths where it can be read, so that damage gets past them."""
    try:
        return build(dissect(data, verify=False))
    except ValueError:  # Malformed among them, and values that no packet can be written with
        return data


def _node() -> tuple[Node, int]:
    """The host, a new one now and then, and its time, which goes on."""
    count = int(str(_state.get("count", 0)))
    if count % _LIFETIME == 0:
        _state["node"] = _fresh()
    _state["count"] = count + 1
    node = _state["node"]
    assert isinstance(node, Node)
    return node, (count % _LIFETIME) * _SECOND // 10


def _fresh() -> Node:
    host = Host("fuzzed", (Interface(luid(6, 1), 2, ("192.0.2.1/24", "2001:db8::1/64")),))
    node = Node(host, _ENGINE)
    for version, peer in ((4, _THERE), (6, _THERE6)):
        listener = host.socket("tcp", version)
        node.run(host.bind(listener, None, 80, 0))
        node.run(host.listen(listener, 0))
        node.run(host.connect(host.socket("tcp", version), Endpoint(peer, 5000), 0))
        node.run(host.bind(host.socket("udp", version), None, 53, 0))
    return node
