"""What is no dump, or a broken one: one error that names file, line, object, what was found and what was wanted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamiz.formats.netsh import looks_like_netsh, read_netsh, trees
from tamiz.model.errors import InputError
from tests.formats.netsh_text import (
    FIELDS,
    LAYER,
    Tree,
    a_callout,
    a_context,
    a_filter,
    a_layer,
    a_provider,
    a_session,
    a_sublayer,
    action,
    an_endpoint,
    blob,
    condition,
    display,
    document,
    filters_dump,
    flags,
    guid,
    interval,
    state_dump,
    v4_mask,
    value,
)


def refusal(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read_netsh(data, "dump.xml")
    return caught.value


FILTERS = filters_dump([a_filter()], [a_provider()])
STATE = state_dump([a_layer(filters=[a_filter()])], endpoints=[an_endpoint()])
HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'
LAUGHS = b"<!DOCTYPE wfpdiag [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]>\n"

# -- no XML, or not the right XML -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "line", "found"),
    [
        pytest.param(b"", 1, "nothing", id="an empty file"),
        pytest.param(b"\n\n  hello", 3, "hello", id="text"),
        pytest.param(b"\x7fELF\x02\x01", 1, "?ELF??", id="a program"),
        pytest.param(HEAD + b"<netEvents/>", 2, "<netEvents/>", id="another list of netsh"),
        pytest.param(HEAD + b"<firewallState/>", 2, "<firewallState/>", id="the second root alone"),
        pytest.param(HEAD + b'<wfpdiag xmlns="u"><filters/></wfpdiag>', None, "", id="another namespace"),
        pytest.param(HEAD + LAUGHS + b"<wfpdiag/>", 2, "a document type (<!DOCTYPE)", id="nested entities"),
        pytest.param(HEAD + b"<!-- x --><!DOCTYPE wfpdiag SYSTEM 'file:///etc/passwd'><wfpdiag/>", 2,
                     "a document type (<!DOCTYPE)", id="a document type behind a comment"),
        pytest.param(FILTERS + LAUGHS, 46, "", id="a document type at the end"),
        pytest.param(FILTERS.replace(b"a filter", b"&laughs;"), 7, "", id="an entity"),
        pytest.param(FILTERS.replace(b"a filter", b"a & b"), 7, "", id="a bare &"),
        pytest.param(FILTERS.replace(b"a filter", b"a \x00 b"), 7, "", id="a zero byte"),
        pytest.param(FILTERS.replace(b"a filter", b"\xe9t\xe9"), 7, "", id="Latin-1"),
        pytest.param(FILTERS.replace(b"UTF-8", b"UTF-7"), 1, "encoding UTF-7", id="another encoding"),
        pytest.param(FILTERS + b"<filters/>", 46, "Extra content at the end", id="an element after the root"),
        pytest.param(FILTERS + b"junk", 46, "Extra content at the end", id="text after the root"),
        pytest.param(STATE + b"junk", None, "Extra content at the end", id="text after the second root"),
        pytest.param(STATE + b"<a/>", None, "Extra content at the end", id="a third root"),
        pytest.param(state_dump(second=("filters", "")), None, "'<filters/>?' after", id="another second root"),
        pytest.param(b"<wfpdiag>" + b"<a>" * 300, 1, "Excessive depth", id="elements nested too deep"),
    ],
)  # fmt: skip
def test_what_is_no_dump_is_refused(data: bytes, line: int | None, found: str) -> None:
    error = refusal(data)
    assert error.place.file == "dump.xml" and error.found.startswith(found)
    assert line is None or error.place.line == line


@pytest.mark.parametrize("dump", [FILTERS, STATE], ids=["filters", "state"])
def test_a_dump_cut_anywhere_inside_is_refused(dump: bytes) -> None:
    whole = {len(dump), len(dump.rstrip())}
    end = dump.find(b"</wfpstate>")
    first_root_alone = range(end + 11, end + 13) if end >= 0 else ()
    for size in range(len(dump)):
        if size not in whole and size not in first_root_alone:
            refusal(dump[:size])


def test_a_state_dump_cut_between_its_roots_is_read_with_a_warning() -> None:
    """Older builds of Windows may have written the first root alone, so it cannot be told from a whole dump."""
    warnings = read_netsh(state_dump(second=None), "dump.xml").warnings
    assert warnings == (
        "dump.xml:2: <wfpstate>: nothing stands after </wfpstate>, where newer builds of Windows write <firewallState>",
    )


@pytest.mark.parametrize(("limit", "small"), [("MAX_BYTES", 1000), ("MAX_MARKS", 20)], ids=["bytes", "elements"])
def test_a_dump_beyond_the_limits_is_refused(limit: str, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, limit, small)
    assert str(small) in refusal(FILTERS).wanted


def test_a_broken_utf_16_file_is_refused_with_its_offset() -> None:
    error = refusal(FILTERS.decode("utf-8-sig").encode("utf-16")[:-1])
    assert error.place.offset == 2 * len(FILTERS.decode("utf-8-sig")) and "UTF-16-LE" in error.wanted


# -- objects ----------------------------------------------------------------------------------------------------------

PORT = "FWPM_CONDITION_IP_REMOTE_PORT"
ADDRESS = "FWPM_CONDITION_IP_REMOTE_ADDRESS"
APP = "FWPM_CONDITION_ALE_APP_ID"
USER = "FWPM_CONDITION_ALE_USER_ID"


def with_condition(*arguments: Any) -> bytes:
    return filters_dump([a_filter(conditions=[condition(*arguments)])])


@pytest.mark.parametrize(
    ("changes", "found", "code"),
    [
        pytest.param({"filterKey": "{1}"}, "'{1}' in <filterKey>", None, id="a key that is no GUID"),
        pytest.param({"filterKey": ""}, "nothing in <filterKey>", None, id="no key"),
        pytest.param({"filterKey": None}, "no <filterKey> in <item>", None, id="no key element"),
        pytest.param({"action": None}, "no <action> in <item>", None, id="no action"),
        pytest.param({"displayData": display("")}, "no display name", "FWP_E_NULL_DISPLAY_NAME", id="no name"),
        pytest.param({"layerKey": "FWPM_LAYER_MOON"}, "FWPM_LAYER_MOON", "FWP_E_LAYER_NOT_FOUND",
                     id="an unknown layer"),
        pytest.param({"layerKey": guid(7)}, guid(7), "FWP_E_LAYER_NOT_FOUND", id="an unknown layer's GUID"),
        pytest.param({"filterId": "x"}, "'x' in <filterId>", None, id="an id that is no number"),
        pytest.param({"filterId": "-1"}, "'-1' in <filterId>", None, id="a negative id"),
        pytest.param({"filterId": "١"}, "'١' in <filterId>", None, id="an Arabic digit"),
        pytest.param({"filterId": "1_0"}, "'1_0' in <filterId>", None, id="a Python number"),
        pytest.param({"filterId": "9" * 5000}, "'9999", None, id="a number of 5000 digits"),
        pytest.param({"filterId": str(1 << 64)}, f"'{1 << 64}'", None, id="an id of 65 bits"),
        pytest.param({"weight": value("FWP_UINT8", 16)}, "weight UINT8 16", "FWP_E_INVALID_WEIGHT",
                     id="weight 16"),
        pytest.param({"weight": value("FWP_UINT8", 256)}, "'256' in <uint8>", None, id="a byte of 256"),
        pytest.param({"weight": value("FWP_UINT32", 1)}, "weight UINT32 1", "FWP_E_INVALID_WEIGHT",
                     id="a weight of 32 bits"),
        pytest.param({"effectiveWeight": value("FWP_EMPTY")}, "no <uint64> in <effectiveWeight>", None,
                     id="no effective weight"),
        pytest.param({"action": action("FWP_ACTION_CONTINUE")}, "action CONTINUE",
                     "FWP_E_INVALID_ACTION_TYPE", id="an action that no filter has"),
        pytest.param({"action": action("FWP_ACTION_DANCE")}, "'FWP_ACTION_DANCE'",
                     "FWP_E_INVALID_ACTION_TYPE", id="an unknown action"),
        pytest.param({"action": action("FWP_ACTION_CALLOUT_TERMINATING")}, "action CALLOUT_TERMINATING without",
                     "FWP_E_CALLOUT_NOT_FOUND", id="a callout action without a callout"),
        pytest.param({"flags": flags("FWPM_FILTER_FLAG_PERSISTENT", "FWPM_FILTER_FLAG_BOOTTIME")},
                     "PERSISTENT with BOOTTIME", "FWP_E_INVALID_FLAGS", id="two lifetimes"),
        pytest.param({"flags": flags("FWPM_FILTER_FLAG_PERMIT_IF_CALLOUT_UNREGISTERED")},
                     "PERMIT_IF_CALLOUT_UNREGISTERED with action BLOCK", "FWP_E_INVALID_FLAGS",
                     id="a callout's flag on a block filter"),
        pytest.param({"flags": flags("100")}, "flag '100'", None, id="flag bits of three digits"),
        pytest.param({"flags": "0"}, "text '0' in <flags>", None, id="flags as a number"),
        pytest.param({"flags": flags("FWPM_FILTER_FLAG_HAS_PROVIDER_CONTEXT")}, "<rawContext>", None,
                     id="a raw context where the flags say another"),
        pytest.param({"rawContext": None, "providerContextKey": guid(9)}, "<providerContextKey>", None,
                     id="a provider context without its flag"),
        pytest.param({"rawContext": None}, "no context", None, id="no context"),
        pytest.param({"reserved": "1"}, "'1' in <reserved>", "FWP_E_RESERVED", id="something reserved"),
        pytest.param({"providerData": [("data", "0g")]}, "'0g' in <data>", None, id="no hex"),
        pytest.param({"providerData": [("data", "0 0 ")]}, "'0 0 ' in <data>", None, id="hex with blanks"),
        pytest.param({"providerData": [("data", "000")]}, "'000' in <data>", None, id="half a byte"),
        pytest.param({"providerData": "00"}, "'00' in <providerData>", None, id="data without its element"),
        pytest.param({"filterCondition": [("thing", "")]}, "<thing> in <filterCondition>", None,
                     id="a list of other things"),
        pytest.param({"subLayerKey": [("item", "x")]}, "<item> in <subLayerKey>", None,
                     id="an element where a key belongs"),
    ],
)  # fmt: skip
def test_a_filter_that_is_wrong_is_named_with_its_line(changes: dict[str, Any], found: str, code: str | None) -> None:
    error = refusal(filters_dump([a_filter(7), a_filter(8, "the wrong one", **changes)]))
    assert error.found.startswith(found) and error.code == code
    assert error.subject.startswith("filter ") and error.place.line is not None
    assert 29 <= error.place.line <= 29 + 26  # the second item


def test_an_error_is_one_sentence_with_place_object_and_code() -> None:
    dump = filters_dump([a_filter(7, "web", weight=value("FWP_UINT8", 16))])
    assert str(refusal(dump)) == (
        "dump.xml:15: filter {00000007-0000-4000-8000-000000000000} 'web': "
        "found weight UINT8 16, wanted FWP_EMPTY, FWP_UINT8 from 0 to 15 or FWP_UINT64 (FWP_E_INVALID_WEIGHT)"
    )


CONDITIONS = [
    pytest.param(("FWPM_CONDITION_IP_SOURCE_PORT", 1, "FWP_UINT16"), "FWPM_CONDITION_IP_SOURCE_PORT",
                 "FWP_E_CONDITION_NOT_FOUND", id="a field that the layer lacks"),
    pytest.param(("port", 1, "FWP_UINT16"), "'port' in <fieldKey>", None, id="a field that is no name"),
    pytest.param((PORT, 1, "FWP_UINT16", "FWP_MATCH_NEARLY"), "match type 'FWP_MATCH_NEARLY'",
                 "FWP_E_INVALID_ENUMERATOR", id="an unknown match"),
    pytest.param((PORT, 1, "FWP_UINT32"), "UINT32 at FWPM_CONDITION_IP_REMOTE_PORT", "FWP_E_TYPE_MISMATCH",
                 id="a port of 32 bits"),
    pytest.param((PORT, 65536, "FWP_UINT16"), "'65536' in <uint16>", None, id="port 65536"),
    pytest.param((PORT, "", "FWP_UINT16"), "'' in <uint16>", None, id="no port"),
    pytest.param((PORT, [("uint8", "1")], "FWP_UINT16"), "<uint8> in <uint16>", None, id="a value in a value"),
    pytest.param((PORT, 1, "FWP_UINT128"), "type FWP_UINT128", None, id="an unknown type"),
    pytest.param((USER, 1, "FWP_TOKEN_INFORMATION_TYPE"), "type FWP_TOKEN_INFORMATION_TYPE",
                 "FWP_E_TYPE_MISMATCH", id="a token"),
    pytest.param((PORT, interval("FWP_UINT16", 90, 80), "FWP_RANGE_TYPE", "FWP_MATCH_RANGE"), "90 to 80 at",
                 "FWP_E_INVALID_RANGE", id="a range that ends before it begins"),
    pytest.param((PORT, interval("FWP_UINT16", 80, 90), "FWP_RANGE_TYPE"), "EQUAL with RANGE_TYPE",
                 "FWP_E_MATCH_TYPE_MISMATCH", id="a range that is matched as equal"),
    pytest.param((PORT, [("valueLow", value("FWP_UINT16", 1)), ("valueHigh", value("FWP_UINT32", 2))],
                  "FWP_RANGE_TYPE", "FWP_MATCH_RANGE"), "a range from UINT16 to UINT32", "FWP_E_INVALID_RANGE",
                 id="a range of two types"),
    pytest.param((PORT, interval("FWP_RANGE_TYPE", interval("FWP_UINT16", 1, 2), interval("FWP_UINT16", 3, 4)),
                  "FWP_RANGE_TYPE", "FWP_MATCH_RANGE"), "an end of type FWP_RANGE_TYPE", "FWP_E_INVALID_RANGE",
                 id="a range of ranges"),
    pytest.param((PORT, [("valueLow", value("FWP_UINT16", 1))], "FWP_RANGE_TYPE", "FWP_MATCH_RANGE"),
                 "no <valueHigh>", None, id="half a range"),
    pytest.param((ADDRESS, "1.2.3.256", "FWP_UINT32"), "'1.2.3.256' in <uint32>", None, id="address byte 256"),
    pytest.param((ADDRESS, "1.2.3", "FWP_UINT32"), "'1.2.3' in <uint32>", None, id="three address bytes"),
    pytest.param((ADDRESS, v4_mask("10.0.0.0", "255.0.255.0"), "FWP_V4_ADDR_MASK"), "mask 0xff00ff00",
                 "FWP_E_INVALID_NET_MASK", id="a mask with a hole"),
    pytest.param((PORT, v4_mask("10.0.0.0", "255.0.0.0"), "FWP_V4_ADDR_MASK"), "V4_ADDR_MASK at",
                 "FWP_E_TYPE_MISMATCH", id="a mask at a port"),
    pytest.param((APP, "", "FWP_BYTE_BLOB_TYPE"), "a blob without bytes", "FWP_E_NULL_POINTER", id="no blob"),
    pytest.param((APP, [("data", "zz")], "FWP_BYTE_BLOB_TYPE"), "'zz' in <data>", None, id="a blob of zz"),
    pytest.param((APP, blob(b"x"), "FWP_BYTE_BLOB_TYPE", "FWP_MATCH_FLAGS_ANY_SET"), "FLAGS_ANY_SET with",
                 "FWP_E_MATCH_TYPE_MISMATCH", id="flags of a blob"),
    pytest.param((USER, "D:(A;;CC;;;", "FWP_SECURITY_DESCRIPTOR_TYPE"), "'D:(A;;CC;;;'",
                 "ERROR_INVALID_SECURITY_DESCR", id="half a descriptor"),
    pytest.param(("FWPM_CONDITION_ALE_PACKAGE_ID", "S-2-1", "FWP_SID"), "'S-2-1' in <sid>", None, id="no SID"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "found", "code"), CONDITIONS)
@pytest.mark.parametrize("kind", ["filters", "state"])
def test_a_condition_that_windows_would_refuse_is_refused_with_its_code(
    kind: str, arguments: tuple[Any, ...], found: str, code: str | None
) -> None:
    wrong = a_filter(name="wrong", conditions=[condition(*arguments)])
    error = refusal(filters_dump([wrong]) if kind == "filters" else state_dump([a_layer(filters=[wrong])]))
    assert error.found.startswith(found) and error.code == code
    assert error.subject == f"filter {guid(1)} 'wrong'"


def test_an_ipv6_mask_is_at_most_128_bits_and_an_address_has_no_scope() -> None:
    layer, address = "FWPM_LAYER_ALE_AUTH_CONNECT_V6", "FWPM_CONDITION_IP_REMOTE_ADDRESS"
    for content, code in (
        ([("addr", "2001:db8::"), ("prefixLength", "129")], "FWP_E_INVALID_NET_MASK"),
        ([("addr", "fe80::1%4"), ("prefixLength", "64")], None),
    ):
        wrong = condition(address, content, "FWP_V6_ADDR_MASK")
        assert refusal(filters_dump([a_filter(conditions=[wrong], layer=layer)])).code == code


@pytest.mark.parametrize(
    ("changes", "found", "code"),
    [
        pytest.param(
            {"subLayerKey": "FWPM_SUBLAYER_INSPECTION"}, "action BLOCK in FWPM_SUBLAYER_INSPECTION",
            "FWP_E_ACTION_INCOMPATIBLE_WITH_SUBLAYER", id="a block in the inspection sublayer",
        ),
        pytest.param(
            {"layer": "FWPM_LAYER_INBOUND_TRANSPORT_FAST"}, "action BLOCK at FWPM_LAYER_INBOUND_TRANSPORT_FAST",
            "FWP_E_ACTION_INCOMPATIBLE_WITH_LAYER", id="a block at a fast layer",
        ),
        pytest.param(
            {"layer": "FWPM_LAYER_RPC_UM", "action": action("FWP_ACTION_CALLOUT_UNKNOWN", guid(7))},
            "a callout at FWPM_LAYER_RPC_UM", "FWP_E_ACTION_INCOMPATIBLE_WITH_LAYER", id="a callout in user mode",
        ),
        pytest.param(
            {"layer": "FWPM_LAYER_RPC_UM", "flags": flags("FWPM_FILTER_FLAG_BOOTTIME")},
            "'boot-time' at FWPM_LAYER_RPC_UM", "FWP_E_INCOMPATIBLE_LAYER", id="a boot-time filter in user mode",
        ),
    ],
)  # fmt: skip
def test_an_action_that_does_not_fit_its_place_is_refused_with_its_code(
    changes: dict[str, Any], found: str, code: str
) -> None:
    wrong = {"action": action("FWP_ACTION_BLOCK"), **changes}
    error = refusal(filters_dump([a_filter(**wrong)]))
    assert (error.found, error.code) == (found, code)


# -- lists and the whole ----------------------------------------------------------------------------------------------

EXISTS = "FWP_E_ALREADY_EXISTS"


def inside(*filters: Tree, **others: Any) -> bytes:
    return state_dump([a_layer(filters=filters)], **others)


@pytest.mark.parametrize(
    ("data", "subject", "found", "code"),
    [
        pytest.param(filters_dump([a_filter(1), a_filter(2, filterKey=guid(1))]), "filter {00000001", guid(1),
                     EXISTS, id="two filters of one key"),
        pytest.param(filters_dump([a_filter(1), a_filter(2, filterKey=guid(1).upper())]), "filter {00000001",
                     guid(1).upper(), EXISTS, id="two filters of one key, differently written"),
        pytest.param(filters_dump([a_filter(1), a_filter(2, filterId="1")]), "filter {00000002", "1 again", None,
                     id="two filters of one id"),
        pytest.param(filters_dump([], [a_provider(), a_provider()]), "provider {b0000001", "{b0", EXISTS,
                     id="two providers of one key"),
        pytest.param(inside(sublayers=[a_sublayer(), a_sublayer()]), "sublayer {a0000001", "{a0", EXISTS,
                     id="two sublayers of one key"),
        pytest.param(inside(contexts=[a_context(), a_context()]), "provider context {d0000001", "{d0", EXISTS,
                     id="two contexts of one key"),
        pytest.param(inside(sessions=[a_session(), a_session()]), "session {e0000001", "{e0", EXISTS,
                     id="two sessions of one key"),
        pytest.param(state_dump([a_layer(), a_layer()]), f"layer {LAYER}", LAYER, EXISTS,
                     id="two layers of one key"),
        pytest.param(state_dump([a_layer(callouts=[a_callout(), a_callout()])]), "callout {c0000001", "{c0", EXISTS,
                     id="two callouts of one key"),
        pytest.param(state_dump([a_layer(fields=FIELDS + FIELDS[:1])]), f"layer {LAYER}",
                     "field FWPM_CONDITION_ALE_APP_ID a second", None, id="a field twice in a layer"),
        pytest.param(state_dump([a_layer(fields=[("FWPM_CONDITION_FLAGS", "FLAG", "FWP_UINT32")])]),
                     f"layer {LAYER}", "'FWPM_FIELD_FLAG'", None, id="an unknown kind of field"),
        pytest.param(inside(a_filter(layer="FWPM_LAYER_STREAM_V4")), "filter {00000001", "FWPM_LAYER_STREAM_V4",
                     None, id="a filter in the list of another layer"),
        pytest.param(state_dump([a_layer(callouts=[a_callout(layer="FWPM_LAYER_STREAM_V4")])]),
                     "callout {c0000001", "FWPM_LAYER_STREAM_V4", None, id="a callout in the list of another layer"),
        pytest.param(FILTERS.replace(b'numItems="1"', b'numItems="2"', 1), "<filters>", "1 items in <filters>",
                     None, id="numItems of two for one filter"),
        pytest.param(FILTERS.replace(b'numItems="1"', b'numItems="01"', 1), "<filters>", "1 items in <filters>",
                     None, id="numItems that is not written as netsh writes it"),
        pytest.param(filters_dump([a_filter(flags=flags("FWPM_FILTER_FLAG_INDEXED"))]).replace(
            b'<flags numItems="1">', b'<flags numItems="0">'), "filter {00000001", "1 items in <flags>", None,
            id="numItems of none for one flag"),
        pytest.param(document(("wfpdiag", [("providers", "")])), "<wfpdiag>", "no <filters>", None,
                     id="a filters dump without filters"),
        pytest.param(document(("wfpstate", [("layers", "")])), "<wfpstate>", "no <providerContexts>", None,
                     id="a state dump of layers only"),
        pytest.param(FILTERS.replace(b"<reserved/>", b"<reserved/><reserved/>"), "filter {00000001",
                     "a second <reserved>", None, id="a member twice"),
        pytest.param(FILTERS.replace(b"<reserved/>", b"<reserved/>oops"), "filter {00000001",
                     "text 'oops", None, id="text between members"),
        pytest.param(FILTERS.replace(b"<filters ", b"oops<filters "), "<wfpdiag>", "text ", None,
                     id="text between lists"),
        pytest.param(inside(endpoints=[an_endpoint(ipVersion="FWP_IP_VERSION_V5")]), "endpoint 1",
                     "IP version 'FWP_IP_VERSION_V5'", None, id="an endpoint of IP version 5"),
        pytest.param(inside(endpoints=[an_endpoint(ipVersion="FWP_IP_VERSION_V6")]), "endpoint 1",
                     "no <localV6Address>", None, id="an endpoint with addresses of another version"),
        pytest.param(inside(endpoints=[an_endpoint(ipsecStatus="fine")]), "endpoint 1", "'fine'", None,
                     id="an IPsec status that is no number"),
        pytest.param(inside(endpoints=[an_endpoint(localPort="70000")]), "endpoint 1", "'70000'", None,
                     id="port 70000 of an endpoint"),
        pytest.param(inside(sublayers=[a_sublayer(weight="65536")]), "sublayer {a0000001", "'65536'", None,
                     id="sublayer weight 65536"),
        pytest.param(inside(sublayers=[a_sublayer(displayData=display(""))]), "sublayer {a0000001",
                     "no display name", "FWP_E_NULL_DISPLAY_NAME", id="a sublayer without a name"),
        pytest.param(inside(sessions=[a_session(kernelMode="maybe")]), "session {e0000001", "'maybe'", None,
                     id="a session that is perhaps the kernel's"),
        pytest.param(inside(sessions=[a_session(sid="root")]), "session {e0000001", "'root'", None,
                     id="a session of root"),
        pytest.param(inside(contexts=[a_context(dataBuffer=None)]), "provider context {d0000001",
                     "FWPM_GENERAL_CONTEXT without a buffer", None, id="a general context without its buffer"),
    ],
)  # fmt: skip
def test_a_dump_that_contradicts_itself_is_refused(data: bytes, subject: str, found: str, code: str | None) -> None:
    error = refusal(data)
    assert error.subject.startswith(subject) and error.code == code
    assert error.found.startswith(found) and error.place.line is not None


def test_an_element_beyond_line_65535_is_named_with_its_own_line() -> None:
    gap = b"\n" * 70000
    dump = FILTERS.replace(b"<filters ", gap + b"<!-- <weight> --><filters ").replace(b"<uint8>7", b"<uint8>99")
    expected = dump[: dump.index(b"<weight>", dump.index(b"-->"))].count(b"\n") + 1
    assert refusal(dump).place.line == expected > 70000


def test_the_second_root_has_the_lines_of_the_file() -> None:
    dump = state_dump(second=("firewallState", [("dynamicKeywordAddresses", [("x", "1"), ("x", [("y", "2")])])]))
    broken = dump.replace(b"<y>", b"text<y>")
    line = broken[: broken.index(b"text<y>")].count(b"\n") + 1
    assert abs((refusal(broken).place.line or 0) - line) <= 1


def test_deeply_nested_elements_beside_the_objects_are_refused() -> None:
    error = refusal(FILTERS.replace(b"</wfpdiag>", b"<a>" * 80 + b"</a>" * 80 + b"</wfpdiag>"))
    assert error.found == "elements nested 64 deep"


# -- whatever it is ---------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_bytes_are_a_dump_or_refused(data: bytes) -> None:
    for candidate in (data, b"<wfpdiag>" + data, b"<wfpstate>" + data):
        looks_like_netsh(candidate)
        refusal(candidate)


@given(st.integers(0, len(STATE) - 1), st.sampled_from([b"", b"<", b">", b"&", b"]]>", b"<item>", b"\xff", b"9"]))
@settings(max_examples=200, deadline=None)
def test_a_dump_with_one_place_changed_is_read_or_refused(at: int, change: bytes) -> None:
    try:
        read_netsh(STATE[:at] + change + STATE[at + 1 :], "dump.xml")
    except InputError as error:
        assert error.place.file == "dump.xml" and "\n" not in str(error)
