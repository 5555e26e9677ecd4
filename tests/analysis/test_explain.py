"""`explain`: which layers a connection meets, what is said of each, and the verdict over all of them."""

from __future__ import annotations

import ipaddress

import pytest

from tamiz.analysis.explain import Question, explain
from tamiz.engine.engine import Engine
from tamiz.formats.complete import complete
from tamiz.formats.toml.policy import read_toml
from tamiz.model._tables import FIELD
from tamiz.model.decisions import Action
from tamiz.model.explanation import Explanation
from tamiz.model.reading import Reading
from tamiz.model.values import app_id, blob, u32
from tamiz.model.windows import VISTA
from tamiz.stack.requests import Way
from tamiz.stack.witness import Conversation, Known


def policy(text: str) -> Engine:
    return Engine(complete(read_toml(text.encode(), "test.toml")))


def ask(engine: Engine, way: Way, protocol: int, local: str, remote: str, known: Known | None = None) -> Explanation:
    """LOCAL and REMOTE as `address port`."""
    (here, here_port), (there, there_port) = (end.split() for end in (local, remote))
    packed = [ipaddress.ip_address(a).packed for a in (here, there)]
    conversation = Conversation(protocol, packed[0], packed[1], int(here_port), int(there_port))
    return explain(engine, Question(way, conversation, known or Known()))


NOTHING = policy("")
OUT_TCP = ("out", 6, "10.0.0.5 50000", "203.0.113.7 443")

WALKS = [
    ("tcp out", "out", 6, "ALE_BIND_REDIRECT ALE_RESOURCE_ASSIGNMENT ALE_CONNECT_REDIRECT ALE_AUTH_CONNECT OUTBOUND_TRANSPORT "
     "OUTBOUND_IPPACKET INBOUND_IPPACKET INBOUND_TRANSPORT ALE_FLOW_ESTABLISHED STREAM STREAM"),
    ("tcp in", "in", 6, "ALE_BIND_REDIRECT ALE_RESOURCE_ASSIGNMENT ALE_AUTH_LISTEN INBOUND_IPPACKET INBOUND_TRANSPORT "
     "ALE_AUTH_RECV_ACCEPT OUTBOUND_TRANSPORT OUTBOUND_IPPACKET ALE_FLOW_ESTABLISHED STREAM STREAM"),
    ("udp out", "out", 17, "ALE_BIND_REDIRECT ALE_RESOURCE_ASSIGNMENT ALE_CONNECT_REDIRECT ALE_AUTH_CONNECT ALE_FLOW_ESTABLISHED "
     "DATAGRAM_DATA OUTBOUND_TRANSPORT OUTBOUND_IPPACKET INBOUND_IPPACKET INBOUND_TRANSPORT DATAGRAM_DATA"),
    ("udp in", "in", 17, "ALE_BIND_REDIRECT ALE_RESOURCE_ASSIGNMENT INBOUND_IPPACKET INBOUND_TRANSPORT ALE_AUTH_RECV_ACCEPT "
     "ALE_FLOW_ESTABLISHED DATAGRAM_DATA DATAGRAM_DATA OUTBOUND_TRANSPORT OUTBOUND_IPPACKET"),
    ("icmp out", "out", 1, "ALE_RESOURCE_ASSIGNMENT ALE_AUTH_CONNECT ALE_FLOW_ESTABLISHED DATAGRAM_DATA OUTBOUND_TRANSPORT "
     "OUTBOUND_IPPACKET INBOUND_IPPACKET INBOUND_TRANSPORT DATAGRAM_DATA"),
    ("icmp in", "in", 1, "INBOUND_IPPACKET INBOUND_TRANSPORT ALE_AUTH_RECV_ACCEPT ALE_FLOW_ESTABLISHED DATAGRAM_DATA DATAGRAM_DATA "
     "OUTBOUND_TRANSPORT OUTBOUND_IPPACKET"),
]  # fmt: skip


@pytest.mark.parametrize(("way", "protocol", "layers"), [pytest.param(*rest, id=name) for name, *rest in WALKS])
@pytest.mark.parametrize("version", [4, 6])
def test_the_layers_of_a_connection(way: Way, protocol: int, layers: str, version: int) -> None:
    local, remote = ("10.0.0.5", "203.0.113.7") if version == 4 else ("fd00::5", "2001:db8::7")
    protocol = 58 if protocol == 1 and version == 6 else protocol
    answer = ask(NOTHING, way, protocol, f"{local} 8", f"{remote} 0")
    assert [step.layer.short for step in answer.steps] == [f"{name}_V{version}" for name in layers.split()]
    assert (answer.action, answer.decided) == (Action.PERMIT, None)


def test_vista_has_no_redirect_layers() -> None:
    layers = [s.layer.short for s in ask(NOTHING, *OUT_TCP, Known(windows=VISTA)).steps]
    assert not [name for name in layers if "REDIRECT" in name]


BLOCK_443 = """
[[filter]]
name = "no web"
layer = "ale-auth-connect"
action = "block"
conditions = { protocol = "tcp", remote-port = 443 }
"""


def test_a_block_names_its_layer_and_filter() -> None:
    answer = ask(policy(BLOCK_443), *OUT_TCP)
    assert answer.action is Action.BLOCK
    assert answer.decided is not None and answer.decided.decision.filter is not None
    assert (answer.decided.layer.short, answer.decided.decision.filter.name) == ("ALE_AUTH_CONNECT_V4", "no web")


def test_a_near_miss_says_which_condition_failed() -> None:
    answer = ask(policy(BLOCK_443), "out", 6, "10.0.0.5 50000", "203.0.113.7 80")
    (step,) = [s for s in answer.steps if s.layer.short == "ALE_AUTH_CONNECT_V4"]
    (miss,) = step.decision.steps[0].near_misses
    assert (miss.filter.name, str(miss.wanted[0]), str(miss.found)) == ("no web", "IP_REMOTE_PORT EQUAL 443", "80")


def test_a_block_at_a_packet_layer_stops_the_connection_too() -> None:
    answer = ask(policy('[[filter]]\nname = "silence"\nlayer = "outbound-transport"\naction = "block"\n'), *OUT_TCP)
    assert answer.decided is not None and answer.decided.layer.short == "OUTBOUND_TRANSPORT_V4"


BY_APP = """
[volumes]
"C:" = '\\Device\\HarddiskVolume1'
[[filter]]
name = "only this one"
layer = "ale-auth-connect"
action = "block"
conditions = { app = { not = 'C:\\one.exe' } }
"""


def test_an_unknown_application_depends_and_a_known_one_does_not() -> None:
    engine = policy(BY_APP)
    unknown = ask(engine, *OUT_TCP)
    assert (unknown.action, unknown.depends_on) == (Action.DEPENDS, (FIELD.ALE_APP_ID,))
    one = Known({FIELD.ALE_APP_ID: blob(app_id(r"\Device\HarddiskVolume1\one.exe"))})
    other = Known({FIELD.ALE_APP_ID: blob(app_id(r"\Device\HarddiskVolume1\other.exe"))})
    assert ask(engine, *OUT_TCP, one).action is Action.PERMIT
    assert ask(engine, *OUT_TCP, other).action is Action.BLOCK


def test_what_is_told_of_an_interface_does_not_fill_a_field_that_is_empty() -> None:
    """A connection that leaves has no arrival interface, so its type is EMPTY there."""
    told = Known({FIELD.ARRIVAL_INTERFACE_TYPE: u32(6), FIELD.NEXTHOP_INTERFACE_TYPE: u32(6)})
    for field, action in (("arrival-interface-type", Action.PERMIT), ("nexthop-interface-type", Action.BLOCK)):
        text = '[[filter]]\nname = "by type"\nlayer = "ale-auth-connect"\naction = "block"\n'
        assert ask(policy(f"{text}conditions = {{ {field} = 6 }}\n"), *OUT_TCP, told).action is action


def test_loopback_is_told_by_the_addresses() -> None:
    text = '[[filter]]\nname = "loopback"\nlayer = "ale-auth-connect"\naction = "block"\n'
    text += 'conditions = { flags = { all-set = ["is-loopback"] } }\n'
    assert ask(policy(text), *OUT_TCP).action is Action.PERMIT
    assert ask(policy(text), "out", 6, "127.0.0.1 50000", "127.0.0.1 443").action is Action.BLOCK


READINGS = """
[[sublayer]]
name = "high"
weight = 9
[[sublayer]]
name = "low"
weight = 5
[[filter]]
name = "hard permit"
sublayer = "high"
layer = "ale-auth-connect"
action = "permit"
hard = true
[[filter]]
name = "block with the flag"
sublayer = "low"
layer = "ale-auth-connect"
action = "block"
hard = true
"""


def test_it_says_when_the_other_reading_would_decide_otherwise() -> None:
    answer = ask(policy(READINGS), *OUT_TCP)
    assert answer.action is Action.PERMIT
    assert "ALE_AUTH_CONNECT_V4: the reading 'observed' gives block here" in answer.notes
    engine = policy(READINGS)
    observed = ask(Engine(engine.policy, Reading.OBSERVED), *OUT_TCP)
    assert observed.action is Action.BLOCK
    assert "ALE_AUTH_CONNECT_V4: the reading 'documented' gives permit here" in observed.notes


def test_it_says_when_filters_of_equal_weight_decide() -> None:
    text = "".join(
        f'[[filter]]\nname = "{name}"\nlayer = "ale-auth-connect"\naction = "{name}"\nweight = 3\n'
        for name in ("permit", "block")
    )
    answer = ask(policy(text), *OUT_TCP)
    assert answer.action is Action.BLOCK
    assert any("equal weight" in note for note in answer.notes)
