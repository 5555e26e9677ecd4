"""Scenario scripts: what a good one means, and the sentence for each fault of a bad one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamiz.model.errors import InputError
from tamiz.sources.scenario import (
    EVENTS,
    HOSTS,
    MAX_DATA,
    MAX_WAIT,
    NAMES,
    PROTOCOLS,
    VERBS,
    Act,
    Scenario,
    built_in,
    read_scenario,
)

CONNECT = '[[act]]\nclient = "connect"\n'


def read(text: str | bytes, name: str = "mine") -> Scenario:
    return read_scenario(text.encode() if isinstance(text, str) else text, "mine.toml", name)


def act(text: str, protocol: str = "tcp") -> str:
    """A script of one act."""
    return f'protocol = "{protocol}"\n[[act]]\n{text}'


def only(text: str, protocol: str = "tcp") -> Act:
    """The act of a script of one act."""
    (found,) = read(act(text, protocol)).acts
    return found


def fault(text: str | bytes) -> str:
    """The message that a script is refused with."""
    with pytest.raises(InputError) as caught:
        read(text)
    return str(caught.value)


# -- good scripts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_documented_scenario_is_a_script(name: str) -> None:
    found = built_in(name)
    assert (found.name, found.protocol) == (name, name.split("-")[0])
    assert found.title.endswith(".")
    assert found.acts


def test_a_name_that_is_none_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        built_in("tcp-everything")


@pytest.mark.parametrize(("protocol", "port"), [("tcp", 443), ("udp", 53), ("icmp", 0)])
def test_what_a_script_leaves_out(protocol: str, port: int) -> None:
    found = read(act('client = "wait"\nseconds = 1', protocol))
    assert found == Scenario("mine", "mine", protocol, port, (Act("client", "wait", wait=10**9),), None)


def test_what_a_script_may_say_of_the_whole() -> None:
    found = read(f'title = "A knock."\nprotocol = "tcp"\nport = 8443\nuntil = "server discard"\n{CONNECT}')
    assert (found.title, found.port, found.until) == ("A knock.", 8443, ("server", "discard"))


@pytest.mark.parametrize(
    ("text", "protocol", "wanted"),
    [
        pytest.param('server = "listen"\nport = 8080', "tcp", Act("server", "listen", port=8080), id="listen"),
        pytest.param('client = "bind"\nport = "0x1000"', "udp", Act("client", "bind", port=4096), id="bind"),
        pytest.param('client = "send"\ndata = "héllo"', "tcp", Act("client", "send", b"h\xc3\xa9llo"), id="text"),
        pytest.param('client = "send"\nhex = "00 ff\\n0A"', "tcp", Act("client", "send", b"\0\xff\n"), id="hex"),
        pytest.param('client = "sendto"\nbytes = 3', "udp", Act("client", "sendto", b"\0\1\2"), id="how many"),
        pytest.param('client = "sendto"', "udp", Act("client", "sendto"), id="an empty datagram"),
        pytest.param('client = "ping"', "tcp", Act("client", "ping"), id="a ping in any scenario"),
        pytest.param('client = "send"\ndata = "x"', "udp", Act("client", "send", b"x"), id="send to a UDP peer"),
        pytest.param('server = "remove-filter"\nname = "x"', "tcp", Act("server", "remove-filter", name="x"), id="remove"),
        pytest.param('server = "wait"\nseconds = 0.5', "tcp", Act("server", "wait", wait=5 * 10**8), id="half a second"),
    ],
)  # fmt: skip
def test_an_act(text: str, protocol: str, wanted: Act) -> None:
    assert only(text, protocol) == wanted


def test_bytes_count_up_and_begin_again() -> None:
    assert only('client = "send"\nbytes = 600').data == bytes(i & 0xFF for i in range(600))


def test_a_filter_is_one_of_a_policy_file_for_both_families() -> None:
    found = only('server = "add-filter"\nfilter = { name = "x", layer = "ale-auth-connect", action = "block" }')
    assert [(f.name, f.layer.short) for f in found.filters] == [
        ("x", "ALE_AUTH_CONNECT_V4"),
        ("x", "ALE_AUTH_CONNECT_V6"),
    ]


# -- bad ones --------------------------------------------------------------------------------------------------------

EVENT = f"'HOST EVENT', HOST one of {', '.join(HOSTS)}, EVENT one of {', '.join(EVENTS)}"
ONE_OF = f"one of {', '.join(PROTOCOLS)}"
HOST = "one of: client = VERB, server = VERB"
SECONDS = f"seconds from 0 to {MAX_WAIT}"
NO_LAYER = 'filter = { name = "x", layer = "nowhere", action = "block" }'
NO_CALLOUT = 'filter = { name = "x", layer = "stream", action = { callout = "y", as = "terminating" } }'

FAULTS = [
    pytest.param("", f"1: the scenario, key 'protocol': found nothing, wanted {ONE_OF}", id="an empty file"),
    pytest.param(b"\xff", "1: the text: found byte 0xff at offset 0, wanted UTF-8", id="no text"),
    pytest.param("protocol =", "1: the text: found", id="no TOML"),
    pytest.param(f'protocol = "sctp"\n{CONNECT}',
        f"1: the scenario, key 'protocol': found 'sctp', wanted {ONE_OF}", id="a protocol that is none"),
    pytest.param(f"protocol = 6\n{CONNECT}", "1: the scenario, key 'protocol': found 6, wanted a string", id="its number"),
    pytest.param(f'protocol = "tcp"\nport = 0\n{CONNECT}',
        "2: the scenario, key 'port': found 0, wanted a number from 1 to 65535", id="port 0"),
    pytest.param(f'protocol = "tcp"\nport = 65536\n{CONNECT}',
        "2: the scenario, key 'port': found 65536, wanted a number from 1 to 65535", id="a port too high"),
    pytest.param(f'protocol = "tcp"\ntitle = ["x"]\n{CONNECT}',
        "2: the scenario, key 'title': found a list of 1, wanted a string", id="a title that is a list"),
    pytest.param(f'protocol = "tcp"\nprot = 80\n{CONNECT}',
        "2: the scenario, key 'prot': found an unknown key 'prot', wanted one of its keys, such as", id="an unknown key"),
    pytest.param(f'protocol = "tcp"\nuntil = "server nap"\n{CONNECT}',
        f"2: the scenario, key 'until': found 'server nap', wanted {EVENT}", id="until no event"),
    pytest.param(f'protocol = "tcp"\nuntil = "router packet"\n{CONNECT}',
        f"2: the scenario, key 'until': found 'router packet', wanted {EVENT}", id="until no host"),
    pytest.param(f'protocol = "tcp"\nuntil = "server"\n{CONNECT}',
        f"2: the scenario, key 'until': found 'server', wanted {EVENT}", id="until a host alone"),
    pytest.param('protocol = "tcp"',
        "1: the scenario, key 'act': found no [[act]], wanted one [[act]] or more", id="no act"),
    pytest.param('protocol = "tcp"\nact = []',
        "2: the scenario, key 'act': found no [[act]], wanted one [[act]] or more", id="an empty list of acts"),
    pytest.param('protocol = "tcp"\nact = "connect"',
        "2: the scenario, key 'act': found 'connect', wanted one [[act]] or more", id="acts that are no list"),
    pytest.param('protocol = "tcp"\n[act]\nclient = "connect"',
        "2: the scenario, key 'act': found a table with client, wanted one [[act]] or more", id="[act] for [[act]]"),
    pytest.param('protocol = "tcp"\nact = ["connect"]',
        "2: act number 1: found 'connect', wanted a table", id="an act that is no table"),
    pytest.param(act('data = "x"'), f"2: act number 1: found 0 hosts, wanted {HOST}", id="nobody acts"),
    pytest.param(act('client = "connect"\nserver = "listen"'),
        f"2: act number 1: found 2 hosts, wanted {HOST}", id="both act at once"),
    pytest.param(act('client = "connects"'),
        "3: act number 1, key 'client': found 'connects', wanted one of its verbs, such as 'connect'", id="no verb"),
    pytest.param(act('client = ""'),
        "3: act number 1, key 'client': found '', wanted one of its verbs: listen, bind,", id="an empty verb"),
    pytest.param(act("client = 1"), "3: act number 1, key 'client': found 1, wanted a string", id="a verb that is a number"),
    pytest.param(act('client = "connect"\nport = 80'),
        "4: act number 1, key 'port': found an unknown key 'port', wanted one of its keys", id="a key of another verb"),
    pytest.param(act('server = "listen"\nport = -1'),
        "4: act number 1, key 'port': found -1, wanted a number from 1 to 65535", id="a negative port"),
    pytest.param(act('server = "listen"', "udp"),
        "3: act number 1, key 'server': found 'listen' in a scenario of udp, wanted that of tcp", id="listen on UDP"),
    pytest.param(act('server = "bind"'),
        "3: act number 1, key 'server': found 'bind' in a scenario of tcp, wanted that of udp", id="bind without listen"),
    pytest.param(act('client = "sendto"'),
        "3: act number 1, key 'client': found 'sendto' in a scenario of tcp, wanted that of udp", id="sendto over TCP"),
    pytest.param(act('client = "connect"', "icmp"),
        "3: act number 1, key 'client': found 'connect' in a scenario of icmp, wanted that of tcp", id="connect of ICMP"),
    pytest.param(act('client = "send"\ndata = 1'), "4: act number 1, key 'data': found 1, wanted a string", id="data no text"),
    pytest.param(act('client = "send"\nhex = "0g"'),
        "4: act number 1, key 'hex': found '0g', wanted pairs of hexadecimal digits", id="no digits"),
    pytest.param(act('client = "send"\nhex = "abc"'),
        "4: act number 1, key 'hex': found 'abc', wanted pairs of hexadecimal digits", id="half a byte"),
    pytest.param(act(f'client = "send"\nbytes = {MAX_DATA + 1}'),
        f"4: act number 1, key 'bytes': found {MAX_DATA + 1}, wanted a number from 0 to {MAX_DATA}", id="too much data"),
    pytest.param(act('client = "send"\nhex = "00"\ndata = "x"'),
        "2: act number 1: found both 'data' and 'hex', wanted one of them", id="data twice"),
    pytest.param(act('client = "add-filter"'),
        "2: act number 1, key 'filter': found nothing, wanted a table, as in a policy file", id="no filter"),
    pytest.param(act('client = "add-filter"\nfilter = "x"'),
        "4: act number 1, key 'filter': found 'x', wanted a table", id="a filter that is no table"),
    pytest.param(act(f'client = "add-filter"\n{NO_LAYER}'),
        "4: act number 1, key 'filter.layer': found 'nowhere', wanted a layer (FWP_E_LAYER_NOT_FOUND)", id="no such layer"),
    pytest.param(act(f'client = "add-filter"\n{NO_CALLOUT}'),
        "4: act number 1, key 'filter.action.callout': found 'y', wanted a callout (FWP_E_CALLOUT_NOT_FOUND)",
        id="no such callout"),
    pytest.param(act('client = "remove-filter"'),
        "2: act number 1, key 'name': found nothing, wanted the name of a filter", id="no name"),
    pytest.param(act('client = "remove-filter"\nname = ""'),
        "4: act number 1, key 'name': found '', wanted the name of a filter", id="an empty name"),
    pytest.param(act('client = "wait"'), f"2: act number 1, key 'seconds': found nothing, wanted {SECONDS}", id="no time"),
    pytest.param(act('client = "wait"\nseconds = -1'),
        f"4: act number 1, key 'seconds': found -1, wanted {SECONDS}", id="time backwards"),
    pytest.param(act('client = "wait"\nseconds = nan'),
        f"4: act number 1, key 'seconds': found nan, wanted {SECONDS}", id="time that is no number"),
    pytest.param(act('client = "wait"\nseconds = inf'),
        f"4: act number 1, key 'seconds': found inf, wanted {SECONDS}", id="time without end"),
    pytest.param(act('client = "wait"\nseconds = true'),
        f"4: act number 1, key 'seconds': found true, wanted {SECONDS}", id="time that is a truth"),
    pytest.param(act('client = "wait"\nseconds = "1"'),
        f"4: act number 1, key 'seconds': found '1', wanted {SECONDS}", id="time that is text"),
    pytest.param(f'protocol = "tcp"\n{CONNECT}{CONNECT}[[act]]\nclient = "dance"',
        "7: act number 3, key 'client': found 'dance', wanted one of its verbs", id="the third act is named"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_a_bad_script_is_told_where_what_was_found_and_what_was_wanted(text: str | bytes, message: str) -> None:
    assert fault(text).startswith(f"mine.toml:{message}")


# -- any script ------------------------------------------------------------------------------------------------------

VALUE = st.one_of(
    st.sampled_from(["x", "00", "tcp", "udp", "server receive", *VERBS]).map(lambda text: f'"{text}"'),
    st.sampled_from(["0", "-1", "7", "1.5", "nan", "true", "[]", "[1]", "{ a = 1 }", "1979-05-27"]),
)
KEY = st.sampled_from(
    ["client", "server", "data", "hex", "bytes", "port", "name", "seconds", "filter", "title", "until"]
)


@given(st.sampled_from(PROTOCOLS), st.lists(st.dictionaries(KEY, VALUE, max_size=3), max_size=3))
def test_any_script_is_read_or_refused_with_a_sentence(protocol: str, tables: list[dict[str, str]]) -> None:
    text = f'protocol = "{protocol}"\n'
    for table in tables:
        text += "[[act]]\n" + "".join(f"{key} = {value}\n" for key, value in table.items())
    try:
        found = read(text)
    except InputError as error:
        assert str(error).startswith("mine.toml:") and " found " in str(error) and ", wanted " in str(error)
    else:
        assert len(found.acts) == len(tables)
