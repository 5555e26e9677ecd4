"""Small dumps of both kinds: each thing that netsh prints becomes a noun of the model."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from tamiz.formats.netsh import looks_like_netsh, read_netsh
from tamiz.formats.netsh.complaints import MOST
from tamiz.model import catalog
from tamiz.model._tables import (
    CalloutBehaviourFlags,
    CalloutFlags,
    ContextFlags,
    FilterFlags,
    LayerFlags,
    MatchType,
    ProviderFlags,
    SessionFlags,
    SublayerFlags,
)
from tamiz.model.conditions import Condition
from tamiz.model.errors import InputError, Place
from tamiz.model.keys import (
    CalloutKey,
    ContextKey,
    FieldKey,
    FilterKey,
    LayerKey,
    ProviderKey,
    SessionKey,
    SublayerKey,
)
from tamiz.model.objects import (
    ActionType,
    Callout,
    Endpoint,
    Filter,
    Node,
    Provider,
    ProviderContext,
    Session,
    Sublayer,
)
from tamiz.model.policy import Policy
from tamiz.model.sids import LOCAL_SYSTEM
from tamiz.model.values import EMPTY, u8, u16, u64
from tests.formats import netsh_text as text
from tests.formats.netsh_render import filters as rendered_filters
from tests.formats.netsh_render import state as rendered_state

V6_LAYER = "FWPM_LAYER_ALE_AUTH_CONNECT_V6"
ADDRESS, PORT = "FWPM_CONDITION_IP_REMOTE_ADDRESS", "FWPM_CONDITION_IP_REMOTE_PORT"


def read(data: bytes) -> Policy:
    return read_netsh(data, "dump.xml")


def one_filter(*, layer: str = text.LAYER, conditions: Any = (), **changes: Any) -> Filter:
    (found,) = read(text.filters_dump([text.a_filter(1, "f", conditions, layer, **changes)])).filters
    return found


# -- a filter ---------------------------------------------------------------------------------------------------------


def test_a_filter_comes_with_all_its_members() -> None:
    found = one_filter(
        displayData=text.display("@bfe.dll,-1", "过滤器 & co"),
        flags=text.flags("FWPM_FILTER_FLAG_PERSISTENT", "FWPM_FILTER_FLAG_CLEAR_ACTION_RIGHT"),
        providerKey="FWPM_PROVIDER_MPSSVC_WF",
        providerData=text.blob(b"\x00\xff"),
        subLayerKey=text.guid(5).upper(),
        conditions=[text.condition(PORT, 443, "FWP_UINT16")],
        action=text.action("FWP_ACTION_PERMIT"),
        rawContext="18446744073709551615",
    )
    assert found == Filter(
        key=FilterKey(text.guid(1)),
        name="@bfe.dll,-1",
        description="过滤器 & co",
        layer=LayerKey(text.LAYER),
        sublayer=SublayerKey(text.guid(5)),
        action=ActionType.PERMIT,
        conditions=(Condition(FieldKey(PORT), MatchType.EQUAL, u16(443)),),
        id=1,
        weight=u8(7),
        effective_weight=0x7000000000000001,
        flags=FilterFlags.PERSISTENT | FilterFlags.CLEAR_ACTION_RIGHT,
        provider=ProviderKey("FWPM_PROVIDER_MPSSVC_WF"),
        provider_data=b"\x00\xff",
        context=2**64 - 1,
    )
    assert found.place == Place("dump.xml", 5) and found.hard


@pytest.mark.parametrize(
    ("changes", "member", "expected"),
    [
        pytest.param({"weight": text.value("FWP_EMPTY")}, "weight", EMPTY, id="an automatic weight"),
        pytest.param({"weight": text.value("FWP_UINT64", 5)}, "weight", u64(5), id="an exact weight"),
        pytest.param({"action": text.action("FWP_ACTION_CALLOUT_UNKNOWN", text.guid(9))}, "callout",
                     CalloutKey(text.guid(9)), id="the callout of a callout action"),
        pytest.param({"action": text.action("FWP_ACTION_BLOCK", text.guid(9))}, "filter_type", text.guid(9),
                     id="the tag of a block filter"),
        pytest.param({"action": [("type", "FWP_ACTION_BLOCK")]}, "filter_type", None, id="no filterType"),
        pytest.param({"rawContext": None, "providerContextKey": text.guid(8),
                      "flags": text.flags("FWPM_FILTER_FLAG_HAS_PROVIDER_CONTEXT")}, "context",
                     ContextKey(text.guid(8)), id="a provider context"),
        pytest.param({"flags": text.flags("FWPM_FILTER_FLAG_HAS_FILTER_ORIGIN")}, "other_flags",
                     ("FWPM_FILTER_FLAG_HAS_FILTER_ORIGIN",), id="a flag without a number"),
        pytest.param({"flags": text.flags("80000040")}, "other_flags", ("80000000",), id="a bit without a name"),
        pytest.param({"flags": text.flags("80000040")}, "flags", FilterFlags.INDEXED, id="a bit with a name"),
        pytest.param({"subLayerKey": ""}, "sublayer", SublayerKey(text.UNIVERSAL),
                     id="no sublayer is the layer's default"),
        pytest.param({"subLayerKey": "FWPM_SUBLAYER_EDGE_TRAVERSAL"}, "sublayer",
                     SublayerKey("FWPM_SUBLAYER_TEREDO"), id="an alias is the name that netsh prints"),
        pytest.param({"layerKey": catalog.guid_of(LayerKey("FWPM_LAYER_STREAM_V4"))}, "layer",
                     LayerKey("FWPM_LAYER_STREAM_V4"), id="a layer's GUID is the layer"),
        pytest.param({"reserved": None}, "provider_data", None, id="no reserved element"),
    ],
)  # fmt: skip
def test_a_filters_other_forms(changes: dict[str, Any], member: str, expected: Any) -> None:
    assert getattr(one_filter(**changes), member) == expected


@pytest.mark.parametrize("flag", FilterFlags.__members__.values(), ids=str)
def test_every_filter_flag_is_read_by_its_name_and_by_its_bit(flag: FilterFlags) -> None:
    changes: dict[str, Any] = {}
    if flag & FilterFlags.HAS_PROVIDER_CONTEXT:
        changes = {"rawContext": None, "providerContextKey": text.guid(8)}
    if flag & FilterFlags.PERMIT_IF_CALLOUT_UNREGISTERED:
        changes = {"action": text.action("FWP_ACTION_CALLOUT_TERMINATING", text.guid(9))}
    for word in (f"FWPM_FILTER_FLAG_{flag.name}", f"{flag.value:08X}"):
        found = one_filter(flags=text.flags(word), **changes)
        assert (found.flags, found.other_flags) == (flag, ())


# -- the other objects ------------------------------------------------------------------------------------------------

CALLOUT = text.a_callout(
    1, flags=text.flags("FWPM_CALLOUT_FLAG_REGISTERED", "FWP_CALLOUT_FLAG_ALLOW_OFFLOAD", "00001300")
)
OPTIONS: Any = [
    ("options", [("item", [("type", "FWP_CLASSIFY_OPTION_LOCAL_ONLY_MAPPING"), ("value", text.value("FWP_UINT32", 1))])])
]  # fmt: skip
CLASSIFY = text.a_context(2, type="FWPM_CLASSIFY_OPTIONS_CONTEXT", dataBuffer=None, classifyOptions=OPTIONS)
STATE = text.state_dump(
    layers=[
        text.a_layer(filters=[text.a_filter()], callouts=[CALLOUT]),
        text.a_layer(V6_LAYER, 50, fields=()),
    ],
    providers=[text.a_provider(serviceName="svc", flags=text.flags("FWPM_PROVIDER_FLAG_DISABLED"))],
    sublayers=[text.a_sublayer(flags=text.flags("FWPM_SUBLAYER_FLAG_PERSISTENT"), providerKey=text.guid(0xB0000001))],
    contexts=[text.a_context(flags=text.flags("FWPM_PROVIDER_CONTEXT_FLAG_PERSISTENT")), CLASSIFY],
    sessions=[text.a_session(flags=text.flags("FWPM_SESSION_FLAG_DYNAMIC")), text.a_session(2, sid="")],
    endpoints=[
        text.an_endpoint(),
        text.an_endpoint(1, 6, ipsecStatus="13801 (ERROR_X)", flags="3", appId=""),
    ],
    more=[("ipsecStatistics", [("a", "1"), ("b", [("c", "2")])])],
)


def test_a_state_dump_has_layers_with_their_fields_in_order() -> None:
    v4, v6 = read(STATE).layers or ()
    known = catalog.layers()[v4.key]
    assert (v4.guid, v4.ip_version, v4.discard, v4.display_name) == (known.guid, 4, False, "a layer")
    assert (v4.id, v4.flags, v4.default_sublayer) == (
        48,
        LayerFlags.KERNEL | LayerFlags.BUILTIN,
        text.UNIVERSAL,
    )
    assert [(f.key, f"{f.kind.name}", f"FWP_{f.type.name}") for f in v4.fields] == list(text.FIELDS)
    assert (v6.ip_version, v6.fields) == (6, ())


def test_a_state_dump_has_callouts_with_the_flags_of_both_their_structures() -> None:
    assert read(STATE).callouts == (
        Callout(
            CalloutKey(text.guid(0xC0000001)), "a callout", LayerKey(text.LAYER), 301,
            flags=CalloutFlags.REGISTERED,
            behaviour=CalloutBehaviourFlags.ALLOW_OFFLOAD | CalloutBehaviourFlags.ALLOW_USO
            | CalloutBehaviourFlags.ALLOW_URO,
            other_flags=("00001000",),
        ),
    )  # fmt: skip


def test_a_state_dump_has_providers_and_sublayers() -> None:
    provider = ProviderKey(text.guid(0xB0000001))
    assert read(STATE).providers == (
        Provider(provider, "a provider", flags=ProviderFlags.DISABLED, service_name="svc"),
    )
    assert read(STATE).sublayers == (
        Sublayer(SublayerKey(text.guid(0xA0000001)), "a sublayer", 1001, flags=SublayerFlags.PERSISTENT, provider=provider),
    )  # fmt: skip


def test_a_state_dump_has_contexts_with_their_bytes_or_their_tree() -> None:
    general, classify = read(STATE).contexts
    assert general == ProviderContext(
        ContextKey(text.guid(0xD0000001)), "a context", "FWPM_GENERAL_CONTEXT", 1,
        flags=ContextFlags.PERSISTENT, data=b"text",
    )  # fmt: skip
    value = Node("value", "", (Node("type", "FWP_UINT32"), Node("uint32", "1")))
    item = Node("item", "", (Node("type", "FWP_CLASSIFY_OPTION_LOCAL_ONLY_MAPPING"), value))
    assert classify.content == Node("classifyOptions", "", (Node("options", "", (item,)),))
    assert (classify.data, classify.id) == (None, 2)


def test_a_state_dump_has_sessions_and_one_may_be_nobodys() -> None:
    first, second = read(STATE).sessions
    assert first == Session(
        SessionKey(text.guid(0xE0000001)), "", 15000, 4, LOCAL_SYSTEM, "NT AUTHORITY\\SYSTEM", True,
        flags=SessionFlags.DYNAMIC,
    )  # fmt: skip
    assert second.user is None


def test_a_state_dump_has_endpoints_and_two_may_share_an_id() -> None:
    v4, v6 = read(STATE).endpoints
    app = "\\device\\harddiskvolume1\\x.exe\0".encode("utf-16-le")
    assert v4 == Endpoint(
        1, 4, 6, bytes((192, 0, 2, 1)), bytes((198, 51, 100, 7)), 50000, 443, app, 999,
        ipsec_status_name="ERROR_SUCCESS",
    )  # fmt: skip
    assert (v6.id, v6.ip_version, v6.local_address.hex(), v6.app) == (1, 6, "20010db8" + "0" * 23 + "1", b"")
    assert (v6.ipsec_status, v6.ipsec_status_name, v6.flags) == (13801, "ERROR_X", ("3",))


def test_the_rest_of_a_state_dump_is_kept_whole() -> None:
    assert read(STATE).other == (
        Node("timeStamp", "2026-01-02T03:04:05.678Z"),
        Node("ipsecStatistics", "", (Node("a", "1"), Node("b", "", (Node("c", "2"),)))),
        Node("dynamicKeywordAddresses"),
    )


def test_what_is_read_can_be_written_and_read_again() -> None:
    lists = rendered_state(read(STATE))
    again = text.document(("wfpstate", list(lists.items())), ("firewallState", ""))
    assert rendered_state(read(again)) == lists
    filters = rendered_filters(read(text.filters_dump([text.a_filter()], [text.a_provider()])))
    assert rendered_filters(read(text.document(("wfpdiag", list(filters.items()))))) == filters


# -- the file ---------------------------------------------------------------------------------------------------------

NAMED = text.filters_dump([text.a_filter(name="Ångström & 過濾")])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(NAMED, id="as netsh writes it"),
        pytest.param(NAMED.removeprefix(b"\xef\xbb\xbf"), id="without a byte order mark"),
        pytest.param(NAMED.replace(b"\n", b"\r\n"), id="with CRLF"),
        pytest.param(NAMED.replace(b"\n", b"").replace(b"\t", b""), id="on one line"),
        pytest.param(NAMED.decode("utf-8-sig").encode("utf-16-le").join((b"\xff\xfe", b"")), id="UTF-16, little end"),
        pytest.param(NAMED.decode("utf-8-sig").encode("utf-16-be").join((b"\xfe\xff", b"")), id="UTF-16, big end"),
        pytest.param(NAMED.replace(b"<![CDATA[", b"").replace(b"]]>", b"").replace(b" & ", b" &amp; "),
                     id="with an entity of XML's own"),
        pytest.param(NAMED.replace(b"<action>", b"<!-- <action> --><?x y?><action>"), id="with a comment"),
        pytest.param(NAMED.replace(b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>', b""),
                     id="without a declaration"),
        pytest.param(NAMED.replace(b"</wfpdiag>", b"</wfpdiag >\n<!-- end -->"), id="with a comment at the end"),
    ],
)  # fmt: skip
def test_the_same_dump_in_another_dress_is_the_same_policy(data: bytes) -> None:
    assert looks_like_netsh(data)
    assert read(data) == read(NAMED) and read(data).warnings == ()
    assert read(data).filters[0].name == "Ångström & 過濾"


def test_blanks_belong_to_a_name() -> None:
    for name in (" ", " a", "b ", " & ", "\t&"):
        assert one_filter(displayData=text.display(name)).name == name
    dump = NAMED.replace(b"<name><![CDATA[", b"<name>  <![CDATA[")
    assert read(dump).filters[0].name == "  Ångström & 過濾"


@pytest.mark.parametrize(
    "dress",
    [b"<name><![CDATA[</wfpstate>]]></name>", b"<name>n</name><!-- </wfpstate> -->", b"<name>n</name><?x </wfpstate>?>"],
    ids=["CDATA", "a comment", "an instruction"],
)  # fmt: skip
def test_the_end_of_the_first_root_is_no_end_inside(dress: bytes) -> None:
    dump = text.state_dump([text.a_layer(filters=[text.a_filter(name="n")])]).replace(b"<name>n</name>", dress)
    assert len(read(dump).other) == 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (text.filters_dump(), True),
        (STATE, True),
        (STATE[:100], True),
        (b"<wfpdiag>", True),
        (b"<wfpdiag><!-- x --><providers/>", True),
        (b"<wfpdiag><netEvents><item/></netEvents></wfpdiag>", False),
        (b"<netEvents/>", False),
        (b"<wfpdiagram/>", False),
        (b"[[filter]]", False),
        (b"", False),
        (b"\xff\xfe", False),
        (b"<?xml version='1.0'", False),
    ],
    ids=lambda x: x[:30].decode("latin-1") if isinstance(x, bytes) else str(x),
)
def test_a_dump_is_told_from_other_files(data: bytes, expected: bool) -> None:
    assert looks_like_netsh(data) is expected


@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
@pytest.mark.parametrize("data", [NAMED, b"junk"], ids=["read", "refused"])
def test_the_garbage_collector_is_left_as_it_was(enabled: bool, data: bytes) -> None:
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        if data == NAMED:
            read(data)
        else:
            with pytest.raises(InputError):
                read(data)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


def test_the_place_of_a_filter_is_right_beyond_line_65535() -> None:
    dump = text.filters_dump([text.a_filter()]).replace(b"<filters ", b"\n" * 70000 + b"<filters ")
    assert read(dump).filters[0].place == Place("dump.xml", 70005)


# -- what only another Windows knows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dump", "warning"),
    [
        pytest.param(NAMED.replace(b"<reserved/>", b"<reserved/><newThing>5</newThing>"), "<newThing> is not known: '5'",
                     id="an element"),
        pytest.param(NAMED.replace(b"<reserved/>", b'<reserved new="5"/>'), "attribute new of <reserved> is not known",
                     id="an attribute"),
        pytest.param(text.filters_dump([text.a_filter(flags=text.flags("FWPM_FILTER_FLAG_NEW"))]),
                     "flag FWPM_FILTER_FLAG_NEW is not known", id="a flag"),
        pytest.param(text.filters_dump([text.a_filter(subLayerKey=text.guid(5))]),
                     f"sublayer {text.guid(5)} is not known to the catalog", id="a sublayer of somebody else"),
        pytest.param(text.filters_dump([text.a_filter(providerKey="FWPM_PROVIDER_NEW")]),
                     "provider FWPM_PROVIDER_NEW is not in the dump (FWP_E_PROVIDER_NOT_FOUND)", id="a provider"),
        pytest.param(text.filters_dump([text.a_filter(conditions=[text.condition("FWPM_CONDITION_NEW", 1)])]),
                     "condition FWPM_CONDITION_NEW is not known to the catalog", id="a field"),
        pytest.param(text.filters_dump([], [], ("newList", [("item", "x")])), "<newList> is not known: ''", id="a list"),
        pytest.param(text.state_dump([text.a_layer(filters=[text.a_filter(subLayerKey=text.guid(5))])]),
                     f"sublayer {text.guid(5)} is not in the dump (FWP_E_SUBLAYER_NOT_FOUND)",
                     id="a sublayer that the state dump does not list"),
        pytest.param(text.state_dump([text.a_layer("FWPM_LAYER_NEW_V6_DISCARD")]),
                     "layer FWPM_LAYER_NEW_V6_DISCARD is not known to the catalog", id="a layer"),
        pytest.param(text.state_dump(contexts=[text.a_context(type="FWPM_NEW_CONTEXT")]),
                     "type 'FWPM_NEW_CONTEXT' is not known", id="a type of context"),
        pytest.param(text.state_dump(endpoints=[text.an_endpoint(new="1")]), "<new> is not known: '1'",
                     id="a member of an endpoint"),
        pytest.param(text.state_dump(second=("firewallState", [("new", "1")])), "<new> is not known: '1'",
                     id="something in the second root"),
    ],
)  # fmt: skip
def test_what_a_newer_windows_adds_is_read_with_a_warning(dump: bytes, warning: str) -> None:
    (found,) = read(dump).warnings
    assert found.startswith("dump.xml:") and found.endswith(warning)


def test_what_is_not_known_is_kept_where_the_model_has_a_place_for_it() -> None:
    layer = (read(text.state_dump([text.a_layer("FWPM_LAYER_NEW_V6_DISCARD")])).layers or ())[0]
    assert (layer.guid, layer.ip_version, layer.discard) == ("", 6, True)
    assert read(text.state_dump(endpoints=[text.an_endpoint(new="1")])).endpoints[0].other == (Node("new", "1"),)
    assert read(text.filters_dump([], [], ("newList", "x"))).other == (Node("newList", "x"),)
    new = text.condition("FWPM_CONDITION_NEW", text.v4_mask("10.0.0.0", "255.0.0.0"), "FWP_V4_ADDR_MASK")
    assert str(one_filter(conditions=[new]).conditions[0].value) == "10.0.0.0/8"


def test_an_oddity_is_told_once_and_not_more_than_a_hundred_kinds() -> None:
    twice = text.filters_dump([text.a_filter(1, new="1"), text.a_filter(2, new="2")])
    assert len(read(twice).warnings) == 1
    many = b"".join(f"<new{n}/>".encode() for n in range(MOST + 5))
    found = read(NAMED.replace(b"<reserved/>", many)).warnings
    assert len(found) == MOST + 1 and found[-1] == "dump.xml: 5 more such warnings"
