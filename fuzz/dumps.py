"""Damaged netsh dumps: small ones of both kinds, in UTF-8 and in UTF-16, and edits of them that stay well formed."""

from __future__ import annotations

from fuzz.xml_edits import SCRIPT, WORDS, edited
from tamiz.formats.netsh import looks_like_netsh, read_netsh
from tamiz.model.errors import InputError
from tests.formats import netsh_text as text

ALLOWED = (InputError,)
TOKENS = WORDS + tuple(
    word.encode()
    for word in (
        "<item>", "</item>", "<![CDATA[", "]]>", "<!--", "-->", "<?x ?>", "&amp;", "&#x10FFFF;", "&#0;", "&x;",
        "<!DOCTYPE x [<!ENTITY a 'b'>]>", "</wfpstate>", "<firewallState/>", ' numItems="1"', ' xmlns="u"', ' a="b"',
        *text.MEMBERS, *text.MEMBERS.values(), "FWP_EMPTY", "FWP_MATCH_RANGE", "FWP_MATCH_PREFIX", "type", "valueLow",
        "FWPM_FILTER_FLAG_BOOTTIME", "FWPM_FILTER_FLAG_HAS_PROVIDER_CONTEXT", "FFFFFFFF", "FWP_ACTION_NONE",
        "18446744073709551616", "-1", "٣", "255.255.255.256", "::1%1", "S-1-5-32-544", "D:(A;;CC;;;WD)", "1_0", "00",
    )
)  # fmt: skip


def seeds() -> list[bytes]:
    small = text.filters_dump([text.a_filter()])
    scripts = [SCRIPT + f"{number} {edit}\n{number * 7} text 0\n".encode() for number, edit in enumerate(_EDITS)]
    return [
        *scripts,
        small,
        small.decode("utf-8-sig").encode("utf-16"),
        small.replace(b"\n", b"\r\n"),
        filters_dump(),
        state_dump(),
    ]


_EDITS = ("text FWP_UINT16", "drop", "twice", "name uint16", "into 40", "count 2", "tail x", "text 00000100")


def target(data: bytes) -> None:
    if data.startswith(SCRIPT):
        read_netsh(edited(filters_dump(), data), "dump.xml")
        state, _, second = state_dump().partition(b"<firewallState")
        data = edited(state, data) + b"<firewallState" + second
    looks_like_netsh(data)
    read_netsh(data, "dump.xml")


def filters_dump() -> bytes:
    return text.filters_dump(_filters(), [text.a_provider(serviceName="mpssvc")])


def state_dump() -> bytes:
    options: list[text.Tree] = [("item", [("type", "FWP_CLASSIFY_OPTION_LOCAL_ONLY_MAPPING")])]
    classify = text.a_context(
        2, type="FWPM_CLASSIFY_OPTIONS_CONTEXT", dataBuffer=None, classifyOptions=[("options", options)]
    )
    return text.state_dump(
        [text.a_layer(filters=_filters(), callouts=[text.a_callout()])],
        providers=[text.a_provider()],
        sublayers=[text.a_sublayer()],
        contexts=[text.a_context(), classify],
        sessions=[text.a_session()],
        endpoints=[text.an_endpoint(), text.an_endpoint(2, 6)],
    )


def _filters() -> list[text.Tree]:
    ports = text.condition(
        "FWPM_CONDITION_IP_REMOTE_PORT",
        text.interval("FWP_UINT16", 1, 9),
        "FWP_RANGE_TYPE",
        "FWP_MATCH_RANGE",
    )
    network = text.condition(
        "FWPM_CONDITION_IP_REMOTE_ADDRESS", text.v4_mask("10.0.0.0", "255.0.0.0"), "FWP_V4_ADDR_MASK"
    )
    app = text.condition("FWPM_CONDITION_ALE_APP_ID", text.blob("\\device\0".encode("utf-16-le")), "FWP_BYTE_BLOB_TYPE")
    user = text.condition("FWPM_CONDITION_ALE_USER_ID", "O:LSD:(A;;CC;;;WD)", "FWP_SECURITY_DESCRIPTOR_TYPE")
    package = text.condition("FWPM_CONDITION_ALE_PACKAGE_ID", "S-1-0-0", "FWP_SID", "FWP_MATCH_NOT_EQUAL")
    called = text.action("FWP_ACTION_CALLOUT_TERMINATING", text.guid(0xC0000001))
    return [
        text.a_filter(1, "ports & networks", [ports, network, app]),
        text.a_filter(2, "users", [user, package], flags=text.flags("FWPM_FILTER_FLAG_INDEXED", "00000300")),
        text.a_filter(3, "callout", action=called, weight=text.value("FWP_EMPTY"), providerData=text.blob(b"\xff")),
    ]
