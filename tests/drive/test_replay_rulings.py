"""What a replay remembers of decisions is what the engine says, for any policy and any conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamiz.drive import replay_rulings
from tamiz.drive.replay_rulings import Ruling, Rulings
from tamiz.model import catalog
from tamiz.model._tables import FIELD, AddressType, ConditionFlags, DataType, MatchType, ReauthorizeReason
from tamiz.model.conditions import Condition
from tamiz.model.decisions import Decision
from tamiz.model.keys import FieldKey, LayerKey
from tamiz.model.values import Range, V4Mask, V6Mask, Value, address, u8, u16, u32
from tamiz.sources.observer.flows import Ends
from tamiz.stack.fields import Embedded
from tamiz.stack.rows import CREATING, layer_key
from tamiz.stack.sequences import SEQUENCES
from tamiz.stack.witness import Known
from tests.engine.build import build

M = MatchType
BASES = sorted({row.layer for s in SEQUENCES.values() for row in s.rows if row.layer and row.layer != CREATING})
LAYERS = [
    layer_key(base, version)
    for stem in BASES
    for version in (4, 6)
    for base in (stem, f"{stem}_DISCARD")
    if layer_key(base, version) in catalog.layers()
]
V4 = [
    b"\x0a\0\0\5",
    b"\x0a\0\0\6",
    b"\x0a\0\0\xff",
    b"\xcb\0\x71\7",
    b"\xe0\0\0\xfb",
    b"\xff" * 4,
    b"\x7f\0\0\1",
    bytes(4),
]
V6 = [bytes.fromhex(text.ljust(32, "0")) for text in ("fd05", "fd06", "20010db8", "20010db9", "ff02", "fe80", "")] + [
    b"\0" * 15 + b"\1"
]
PORTS = st.sampled_from([0, 1, 52, 53, 54, 443, 444, 49152, 65535])
ORDER = st.sampled_from([M.EQUAL, M.NOT_EQUAL, M.LESS, M.LESS_OR_EQUAL, M.GREATER, M.GREATER_OR_EQUAL])


def ranges(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    def ordered(a: Value, b: Value) -> Value:
        low, high = sorted((a, b), key=lambda v: v.data)  # type: ignore[arg-type,return-value]
        return Value(DataType.RANGE_TYPE, Range(low, high))

    return st.builds(ordered, values, values)


def networks(version: int) -> st.SearchStrategy[Value]:
    if version == 4:
        masks = st.sampled_from([0, 0xFF000000, 0xFFFFFF00, 0xFFFFFFFF, 0xFF0000FF])
        numbers = st.sampled_from([int.from_bytes(a, "big") for a in V4])
        return st.builds(lambda a, m: Value(DataType.V4_ADDR_MASK, V4Mask(a, m)), numbers, masks)
    prefixes = st.sampled_from([0, 7, 16, 32, 128])
    return st.builds(lambda a, p: Value(DataType.V6_ADDR_MASK, V6Mask(a, p)), st.sampled_from(V6), prefixes)


def values_of(field: FieldKey, version: int) -> st.SearchStrategy[tuple[MatchType, Value]]:
    """What a condition on `field` may say."""
    if field in (FIELD.IP_LOCAL_ADDRESS, FIELD.IP_REMOTE_ADDRESS, FIELD.EMBEDDED_REMOTE_ADDRESS):
        plain = st.sampled_from(V4 if version == 4 else V6).map(address)
        return st.one_of(
            st.tuples(ORDER, plain),
            st.tuples(st.just(M.RANGE), ranges(plain)),
            st.tuples(st.just(M.EQUAL), networks(version)),
        )
    if field is FIELD.FLAGS:
        bits = st.sampled_from([int(f) for f in ConditionFlags])
        return st.tuples(st.sampled_from([M.FLAGS_ALL_SET, M.FLAGS_NONE_SET, M.FLAGS_ANY_SET]), bits.map(u32))
    if field in (FIELD.IP_PROTOCOL, FIELD.EMBEDDED_PROTOCOL):
        return st.tuples(st.just(M.EQUAL), st.sampled_from([1, 6, 17, 58]).map(u8))
    if field in (FIELD.IP_LOCAL_ADDRESS_TYPE, FIELD.IP_DESTINATION_ADDRESS_TYPE, FIELD.EMBEDDED_LOCAL_ADDRESS_TYPE):
        return st.tuples(st.just(M.EQUAL), st.sampled_from(AddressType).map(u8))
    number = PORTS.map(u16)
    flags = st.sampled_from([M.FLAGS_ALL_SET, M.FLAGS_NONE_SET])
    return st.one_of(st.tuples(ORDER, number), st.tuples(st.just(M.RANGE), ranges(number)), st.tuples(flags, number))


TESTED = frozenset(
    {
        FIELD.IP_LOCAL_ADDRESS, FIELD.IP_REMOTE_ADDRESS, FIELD.IP_LOCAL_PORT, FIELD.IP_REMOTE_PORT, FIELD.FLAGS,
        FIELD.IP_PROTOCOL, FIELD.IP_LOCAL_ADDRESS_TYPE, FIELD.IP_DESTINATION_ADDRESS_TYPE, FIELD.ORIGINAL_ICMP_TYPE,
        FIELD.EMBEDDED_PROTOCOL, FIELD.EMBEDDED_REMOTE_ADDRESS, FIELD.EMBEDDED_LOCAL_PORT, FIELD.EMBEDDED_REMOTE_PORT,
        FIELD.EMBEDDED_LOCAL_ADDRESS_TYPE,
    }
)  # fmt: skip


ATTRIBUTES = ("protocol", "local", "remote", "local_port", "remote_port", "way", "loopback", "original", "embedded")


@st.composite
def alike(draw: Callable, version: int) -> list[Ends]:
    """Ends that differ from the first in one thing each."""
    pool = st.sampled_from(V4 if version == 4 else V6)
    quoted = st.builds(Embedded, st.sampled_from([6, 17]), pool, st.sampled_from(AddressType), st.none() | PORTS, PORTS)
    values = {
        "protocol": st.sampled_from([6, 17, 47, 1 if version == 4 else 58]), "local": pool, "remote": pool,
        "local_port": st.none() | PORTS, "remote_port": st.none() | PORTS, "way": st.sampled_from(["in", "out"]),
        "loopback": st.booleans(), "original": st.none() | PORTS, "embedded": quoted,
    }  # fmt: skip
    first = [draw(values[name]) for name in ATTRIBUTES]
    found = [Ends(*first)]
    for _ in range(draw(st.integers(2, 8))):
        place = draw(st.integers(0, len(ATTRIBUTES) - 1))
        other = draw(values[ATTRIBUTES[place]])
        found.append(Ends(*first[:place], other, *first[place + 1 :]))
        if ATTRIBUTES[place] == "embedded":
            first[place] = other
    return found


def same(ruling: Ruling, decision: Decision) -> bool:
    seen = (ruling.action, ruling.right, ruling.filter, ruling.depends_on, ruling.absorbed, ruling.tie)
    return seen == (
        decision.action, decision.right, decision.filter, decision.depends_on, decision.absorbed, decision.tie,
    )  # fmt: skip


CASES = [
    pytest.param(field, version, id=f"{field.short} with IPv{version}")
    for field in sorted(TESTED)
    for version in (4, 6)
]


@pytest.mark.parametrize(("field", "version"), CASES)
@settings(max_examples=10)
@given(data=st.data())
def test_what_is_remembered_is_what_the_engine_says(field: FieldKey, version: int, data: st.DataObject) -> None:
    having = [key for key in LAYERS if f"_V{version}" in key and catalog.layers()[key].field(field)]
    layer = data.draw(st.sampled_from(having))

    def conditions() -> tuple[Condition, ...]:
        one = Condition(field, *data.draw(values_of(field, version)))
        others = [f.key for f in catalog.layers()[layer].fields if f.key in TESTED and f.key != field]
        more = data.draw(st.lists(st.sampled_from(others), max_size=1)) if others else []
        return (one, *(Condition(other, *data.draw(values_of(other, version))) for other in more))

    built = build("S9:[P!, B] ; S5:[B]", layer, {name: conditions() for name in ("S9.1", "S9.2", "S5.1")})
    rulings = Rulings(built.engine(), Known(ipsec=False))
    seen: dict[object, tuple[Ruling, ...]] = {}
    flags = data.draw(st.sampled_from([ConditionFlags(0), ConditionFlags.IS_FRAGMENT, ConditionFlags.IS_REAUTHORIZE]))
    reason = data.draw(st.sampled_from([ReauthorizeReason(0), ReauthorizeReason.NEW_INBOUND_MCAST_BCAST_PACKET]))
    for each in data.draw(alike(version)):
        found = []
        for way in ("in", "out", None):
            ruling = rulings.at(layer, each, way, flags, reason)
            assert same(ruling, rulings.classify(layer, each, way, flags, reason))
            found.append(ruling)
        assert seen.setdefault(rulings.signature(each), tuple(found)) == tuple(found)


def plain(protocol: int = 17, local: int = 5, remote: bytes = V4[3], **rest: object) -> Ends:
    """Ends that differ in what is named; the last byte of the local address is `local`."""
    original = rest.pop("original", None)
    made = Ends(protocol, bytes([10, 0, 0, local]), remote, 1000, 2000, "in", **rest)  # type: ignore[arg-type]
    made.original = original  # type: ignore[assignment]
    return made


QUOTED = Embedded(17, V4[3], AddressType.UNICAST, 1, 2)
TELLING = [
    pytest.param(
        "INBOUND_TRANSPORT_V4", FIELD.IP_LOCAL_ADDRESS_TYPE, u8(AddressType.BROADCAST), plain(), plain(local=255),
        id="an address that may be a subnet's broadcast",
    ),
    pytest.param(
        "OUTBOUND_TRANSPORT_V4", FIELD.IP_DESTINATION_ADDRESS_TYPE, u8(AddressType.MULTICAST), plain(), plain(remote=V4[4]),
        id="a group",
    ),
    pytest.param("INBOUND_TRANSPORT_V4", FIELD.IP_PROTOCOL, u8(6), plain(), plain(6), id="the protocol"),
    pytest.param(
        "ALE_AUTH_RECV_ACCEPT_V4", FIELD.ORIGINAL_ICMP_TYPE, u16(8), plain(1, original=8), plain(1, original=0),
        id="the ICMP type that opened the flow",
    ),
    pytest.param(
        "ALE_AUTH_RECV_ACCEPT_V4", FIELD.ORIGINAL_ICMP_TYPE, u16(8), Ends(1, V4[0], V4[3], 8, 0, "in"),
        Ends(1, V4[0], V4[3], 0, 0, "in"), id="the message's own ICMP type, where none is known to have opened the flow",
    ),
    pytest.param(
        "INBOUND_ICMP_ERROR_V4", FIELD.EMBEDDED_PROTOCOL, u8(6), plain(1, embedded=QUOTED),
        plain(1, embedded=replace(QUOTED, protocol=6)), id="the protocol of a quoted packet",
    ),
    pytest.param(
        "INBOUND_ICMP_ERROR_V4", FIELD.EMBEDDED_LOCAL_ADDRESS_TYPE, u8(AddressType.MULTICAST), plain(1, embedded=QUOTED),
        plain(1, embedded=replace(QUOTED, local_type=AddressType.MULTICAST)), id="the kind of a quoted address",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "field", "value", "one", "other"), TELLING)
def test_what_facts_show_beside_numbers_is_told_apart(layer, field, value, one, other):
    key = LayerKey(f"FWPM_LAYER_{layer}")
    built = build("S9:[B]", key, {"S9.1": (Condition(field, M.EQUAL, value),)})
    rulings = Rulings(built.engine(), Known(ipsec=False))
    found = [rulings.at(key, each, "in") for each in (one, other)]
    assert found[0] is not found[1]
    assert all(
        same(ruling, rulings.classify(key, each, "in")) for ruling, each in zip(found, (one, other), strict=True)
    )
    assert rulings.signature(one) != rulings.signature(other)


def test_loopback_is_told_apart():
    key = LayerKey("FWPM_LAYER_INBOUND_TRANSPORT_V4")
    flag = Condition(FIELD.FLAGS, M.FLAGS_ALL_SET, u32(ConditionFlags.IS_LOOPBACK))
    rulings = Rulings(build("S9:[B]", key, {"S9.1": (flag,)}).engine(), Known(ipsec=False))
    here = Ends(17, V4[0], V4[0], 1, 2, "in")
    found = [rulings.at(key, each, "in").action.value for each in (plain(), plain(loopback=True), here)]
    assert found == ["permit", "block", "block"]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_rulings, "REMEMBERED", 4)
    layer = LayerKey("FWPM_LAYER_INBOUND_TRANSPORT_V4")
    many = tuple(Condition(FIELD.IP_REMOTE_PORT, M.EQUAL, u16(port)) for port in range(50))
    rulings = Rulings(build("S9:[B]", layer, {"S9.1": many}).engine(), Known())
    found = {rulings.at(layer, Ends(17, V4[0], V4[3], 1, port, "in"), "in") for port in range(60)}
    assert len(rulings._made) <= 4
    assert {ruling.action.value for ruling in found} == {"block", "permit"}
