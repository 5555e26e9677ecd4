"""The policy language: the design's example, every member of every object, and every refusal in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tamiz.formats.load import load_policies
from tamiz.formats.toml.policy import read_toml
from tamiz.model._tables import (
    CalloutBehaviourFlags,
    CalloutFlags,
    ContextFlags,
    FilterFlags,
    ProviderFlags,
    SublayerFlags,
)
from tamiz.model.errors import InputError, Place
from tamiz.model.keys import ContextKey, FilterKey, LayerKey, ProviderKey, SublayerKey
from tamiz.model.objects import ActionType, Filter
from tamiz.model.policy import Policy, Presence
from tamiz.model.values import EMPTY, Value, u8, u64

EXAMPLES = Path(__file__).parents[2] / "examples"

DESIGN = r"""
[[provider]]
name = "Acme VPN"
[[sublayer]]
name = "acme"
weight = 0xFFFF
provider = "Acme VPN"
[[filter]]
name = "tunnel server"
sublayer = "acme"
layer = "ale-auth-connect"             # V4 and V6
action = "permit"
hard = true
weight = 15
conditions = { protocol = "udp", remote-address = "198.51.100.7", remote-port = 51820 }
[[filter]]
name = "local network"
sublayer = "acme"
layer = "ale-auth-connect"
action = "permit"
conditions = { remote-address = ["10.0.0.0/8", "192.168.0.0/16", "fe80::/10"] }
[[filter]]
name = "everything else"
sublayer = "acme"
layer = "ale-auth-connect"
action = "block"
conditions = { flags = { none-set = ["is-loopback"] }, app = { not = 'C:\Acme\vpn.exe' }, remote-port = { range = [1, 65535] }, user = { sd = "O:LSD:(A;;CC;;;WD)" } }
"""

KEY = "{00000000-0000-4000-8000-000000000001}"
FILTER = '[[filter]]\nname = "f"\nlayer = "ale-auth-connect-v4"\n'


def read(text: str, known: Policy | None = None) -> Policy:
    return read_toml(text.encode(), "p.toml", known)


def one(members: str = "", before: str = "") -> Filter:
    action = "" if "action" in members else 'action = "block"\n'
    (found,) = read(f"{before}\n{FILTER}{action}{members}\n").filters
    return found


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(text)
    return str(caught.value)


# -- the example of the design -----------------------------------------------------------------------------------------


def test_the_example_of_the_design_reads_as_it_says() -> None:
    policy = read(DESIGN)
    acme = policy.sublayers[0]
    assert (acme.name, acme.weight, acme.provider) == ("acme", 0xFFFF, policy.providers[0].key)
    said = [(f.name, f.layer.short, f.action.name, f.hard, str(f.weight)) for f in policy.filters]
    assert said == [
        ("tunnel server", "ALE_AUTH_CONNECT_V4", "PERMIT", True, "15"),
        ("local network", "ALE_AUTH_CONNECT_V4", "PERMIT", False, "EMPTY"),
        ("local network", "ALE_AUTH_CONNECT_V6", "PERMIT", False, "EMPTY"),
        ("everything else", "ALE_AUTH_CONNECT_V4", "BLOCK", False, "EMPTY"),
        ("everything else", "ALE_AUTH_CONNECT_V6", "BLOCK", False, "EMPTY"),
    ]
    assert {f.sublayer for f in policy.filters} == {acme.key}
    assert [str(c) for c in policy.filters[3].conditions] == [
        "FLAGS FLAGS_NONE_SET 1",
        "ALE_APP_ID NOT_EQUAL \\??\\c:\\acme\\vpn.exe",
        "IP_REMOTE_PORT RANGE 1-65535",
        "ALE_USER_ID EQUAL O:LSD:(A;;CC;;;WD)",
    ]
    assert policy.filters[3].place == Place("p.toml", 22)


def test_a_drive_that_has_no_volume_is_a_warning_once() -> None:
    (warning,) = read(DESIGN + FILTER + "action = 'block'\nconditions = { app = 'C:\\x' }").warnings
    assert warning.startswith("p.toml:27: C: is not in [volumes]: paths on it are compared with the same drive letter")


def test_the_kill_switch_of_the_examples_loads_without_a_warning() -> None:
    policy = load_policies([str(EXAMPLES / "kill-switch.toml")])
    assert policy.warnings == ()
    layers = {f.layer.short for f in policy.filters if f.name == "everything else"}
    assert layers == {f"ALE_AUTH_{x}_V{v}" for x in ("CONNECT", "RECV_ACCEPT") for v in (4, 6)}
    for layer in layers:
        last = min(policy.by_layer[LayerKey(f"FWPM_LAYER_{layer}")], key=lambda f: f.effective_weight or 0)
        assert (last.name, last.action, last.conditions) == ("everything else", ActionType.BLOCK, ())


# -- members -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "weight"),
    [
        pytest.param("", EMPTY, id="no weight is automatic"),
        pytest.param("weight = 'automatic'", EMPTY, id="automatic in a word"),
        pytest.param("weight = 0", u8(0), id="a range"),
        pytest.param("weight = 15", u8(15), id="the highest range"),
        pytest.param("weight = '0x8000000000000000'", u64(1 << 63), id="exactly"),
        pytest.param("weight = '7'", u64(7), id="a text is exact, decimal too"),
    ],
)
def test_weights(members: str, weight: Value) -> None:
    assert one(members).weight == weight


@pytest.mark.parametrize(
    ("members", "flags"),
    [
        pytest.param("hard = true", FilterFlags.CLEAR_ACTION_RIGHT, id="hard"),
        pytest.param("persistent = true", FilterFlags.PERSISTENT, id="persistent"),
        pytest.param("boot-time = true", FilterFlags.BOOTTIME, id="boot-time"),
        pytest.param("disabled = true", FilterFlags.DISABLED, id="disabled"),
        pytest.param("flags = ['indexed', 'silent-mode']", FilterFlags.INDEXED | FilterFlags.SILENT_MODE, id="by name"),
        pytest.param("hard = false", FilterFlags(0), id="false is as absent"),
    ],
)
def test_flags(members: str, flags: FilterFlags) -> None:
    assert one(members).flags == flags


def test_other_members_of_a_filter() -> None:
    found = one(
        f"key = '{KEY[1:-1].upper()}'\ndescription = 'd'\nid = 7\neffective-weight = '0x10'\nprovider-data = '00ff'\n"
        f"other-flags = ['FWPM_FILTER_FLAG_HAS_FILTER_ORIGIN']\ncontext = '0xff'\nfilter-type = '{KEY}'\nprovider = 'FWPM_PROVIDER_IKEEXT'"
    )
    assert found == Filter(
        FilterKey(KEY), "f", LayerKey("FWPM_LAYER_ALE_AUTH_CONNECT_V4"), SublayerKey("FWPM_SUBLAYER_UNIVERSAL"),
        ActionType.BLOCK, (), 7, EMPTY, 16, FilterFlags(0), ("FWPM_FILTER_FLAG_HAS_FILTER_ORIGIN",), None,
        ProviderKey("FWPM_PROVIDER_IKEEXT"), b"\0\xff", 255, KEY, "d",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("members", "sublayer"),
    [
        pytest.param("", "FWPM_SUBLAYER_UNIVERSAL", id="none is the layer's default"),
        pytest.param("sublayer = 'mpssvc-wf'", "FWPM_SUBLAYER_MPSSVC_WF", id="a friendly name"),
        pytest.param("sublayer = 'FWPM_SUBLAYER_MPSSVC_WF'", "FWPM_SUBLAYER_MPSSVC_WF", id="an FWPM_ name"),
        pytest.param("sublayer = '{B3CDD441-AF90-41BA-A745-7C6008FF2301}'", "FWPM_SUBLAYER_MPSSVC_WF", id="a GUID"),
        pytest.param("sublayer = 'own'", KEY, id="a name of the file"),
        pytest.param(f"sublayer = '{KEY}'", KEY, id="a key of the file"),
    ],
)
def test_sublayers_by_name(members: str, sublayer: str) -> None:
    before = f"[[sublayer]]\nname = 'own'\nkey = '{KEY}'\nweight = 1"
    assert one(members, before).sublayer == sublayer


def test_a_name_of_the_file_comes_before_one_of_windows() -> None:
    assert one("sublayer = 'universal'", f"[[sublayer]]\nname = 'universal'\nkey = '{KEY}'\nweight = 1").sublayer == KEY


@pytest.mark.parametrize(
    ("word", "action"),
    [
        pytest.param("terminating", ActionType.CALLOUT_TERMINATING, id="terminating"),
        pytest.param("inspection", ActionType.CALLOUT_INSPECTION, id="inspection"),
        pytest.param("unknown", ActionType.CALLOUT_UNKNOWN, id="unknown"),
    ],
)
def test_callouts(word: str, action: ActionType) -> None:
    policy = read(
        "[[callout]]\nname = 'c'\nlayer = 'ale-auth-connect'\n[[filter]]\nname = 'f'\nlayer = 'ale-auth-connect'\n"
        f"action = {{ callout = 'c', as = '{word}' }}"
    )
    assert [(f.action, f.callout) for f in policy.filters] == [(action, c.key) for c in policy.callouts]
    assert [c.layer for c in policy.callouts] == [f.layer for f in policy.filters]
    assert {policy.presence(c.key) for c in policy.callouts} == {Presence.REGISTERED}


@pytest.mark.parametrize(
    ("registered", "presence"),
    [
        pytest.param("true", Presence.REGISTERED, id="a driver answers"),
        pytest.param("false", Presence.UNREGISTERED, id="no driver answers"),
        pytest.param("'unknown'", Presence.UNKNOWN, id="nobody knows"),
    ],
)
def test_whether_a_callout_is_registered(registered: str, presence: Presence) -> None:
    text = f"[[callout]]\nname = 'c'\nregistered = {registered}\n{FILTER}action = {{ callout = 'c', as = 'unknown' }}"
    policy = read(text)
    callout = policy.filters[0].callout
    assert callout is not None
    assert policy.presence(callout) is presence


def test_a_callout_of_windows_stays_registered_beside_one_of_the_file() -> None:
    policy = read(
        "[[callout]]\nname = 'c'\n[[filter]]\nname = 'f'\nlayer = 'inbound-transport-v4'\n"
        "action = { callout = 'FWPM_CALLOUT_IPSEC_INBOUND_TRANSPORT_V4', as = 'terminating' }"
    )
    callout = policy.filters[0].callout
    assert callout is not None
    assert policy.presence(callout) is Presence.REGISTERED


def test_a_context_by_name_sets_the_flag() -> None:
    found = one("context = 'x'", f"[[context]]\nname = 'x'\nkey = '{KEY}'")
    assert (found.context, found.flags) == (ContextKey(KEY), FilterFlags.HAS_PROVIDER_CONTEXT)


def test_every_member_of_the_other_objects() -> None:
    policy = read(f"""
[[provider]]
name = "p"
key = "{KEY}"
description = "d"
service = "svc"
persistent = true
disabled = true
provider-data = "01"
other-flags = ["00000100"]
[[sublayer]]
name = "s"
weight = "0x10"
provider = "p"
persistent = true
[[callout]]
name = "c"
id = 300
provider = "{KEY}"
persistent = true
uses-provider-context = true
behaviour = ["conditional-on-flow"]
[[context]]
name = "x"
type = "classify-options"
id = 9
data = "0102"
persistent = true
downlevel = true
""")
    (provider,), (sublayer,), (callout,), (context,) = (
        policy.providers,
        policy.sublayers,
        policy.callouts,
        policy.contexts,
    )
    assert provider.flags == ProviderFlags.PERSISTENT | ProviderFlags.DISABLED
    assert (provider.service_name, provider.provider_data, provider.other_flags) == (
        "svc",
        b"\1",
        ("00000100",),
    )
    assert (sublayer.weight, sublayer.provider, sublayer.flags) == (16, KEY, SublayerFlags.PERSISTENT)
    assert callout.flags == CalloutFlags.PERSISTENT | CalloutFlags.USES_PROVIDER_CONTEXT | CalloutFlags.REGISTERED
    assert (callout.id, callout.layer, callout.behaviour) == (
        300,
        None,
        CalloutBehaviourFlags.CONDITIONAL_ON_FLOW,
    )
    assert (context.type, context.id, context.data) == ("FWPM_CLASSIFY_OPTIONS_CONTEXT", 9, b"\1\2")
    assert context.flags == ContextFlags.PERSISTENT | ContextFlags.DOWNLEVEL


def test_a_sublayer_whose_weight_nobody_knows() -> None:
    assert read("[[sublayer]]\nname = 's'\nweight = 'unknown'").sublayers[0].weight is None


def test_fields_choose_the_field_lists() -> None:
    assert read("fields = 'older'").fields == "older"


# -- keys ----------------------------------------------------------------------------------------------------------------


def test_keys_hang_on_names_alone() -> None:
    first, again = read(DESIGN), read(DESIGN)
    assert first == again
    assert len({f.key for f in first.filters}) == len(first.filters)
    moved = read(f"{FILTER}action = 'block'\n" + DESIGN)
    assert [f.key for f in moved.filters[1:]] == [f.key for f in first.filters]


def test_filters_of_one_name_have_keys_of_their_own() -> None:
    policy = read(2 * f"{FILTER}action = 'block'\n")
    assert len({f.key for f in policy.filters}) == 2


def test_a_sublayer_of_one_name_is_one_object_in_every_file() -> None:
    text = b"[[sublayer]]\nname = 's'\nweight = 1"
    assert read_toml(text, "a.toml").sublayers == read_toml(text, "b.toml").sublayers


def test_filters_of_two_files_differ() -> None:
    text = f"{FILTER}action = 'block'".encode()
    assert read_toml(text, "x/a.toml").filters[0].key == read_toml(text, "y\\a.toml").filters[0].key
    assert read_toml(text, "a.toml").filters[0].key != read_toml(text, "b.toml").filters[0].key


def test_a_filter_and_a_context_may_share_a_guid() -> None:
    assert one(f"key = '{KEY}'\ncontext = 'x'", f"[[context]]\nname = 'x'\nkey = '{KEY}'").context == KEY


def test_a_file_may_refer_to_what_was_known_before_it() -> None:
    known = read(f"[[sublayer]]\nname = 'theirs'\nkey = '{KEY}'\nweight = 1")
    for text in ("theirs", KEY):
        (found,) = read(f"{FILTER}action = 'block'\nsublayer = '{text}'", known).filters
        assert found.sublayer == KEY


# -- refusals ------------------------------------------------------------------------------------------------------------

SUBLAYER = "[[sublayer]]\nname = 's'\nweight = 1\n"
ACTIONS = "wanted 'permit', 'block' or { callout = '...', as = 'terminating' | 'inspection' | 'unknown' }"

REFUSALS = [
    pytest.param("filtr = 1", "p.toml:1: the policy, key 'filtr': found an unknown key 'filtr', wanted one of its keys, such as "
                 "'filter'", id="an unknown key of the file"),
    pytest.param("filter = 1", "p.toml:1: the policy, key 'filter': found 1 as 'filter', wanted tables: [[filter]]",
                 id="filters that are no tables"),
    pytest.param("filter = [1]", "p.toml:1: filter number 1: found 1, wanted a table", id="a filter that is no table"),
    pytest.param("fields = 'newer'", "p.toml:1: the policy, key 'fields': found 'newer', wanted 'newest' or 'older' as 'fields'",
                 id="unknown field lists"),
    pytest.param("[volumes]\nC = 5", "p.toml:2: the volumes, key 'volumes.C': found 5, wanted a device such as "
                 "'\\Device\\HarddiskVolume3'", id="a volume that is a number"),
    pytest.param("[volumes]\nCC = '\\Device\\X'", "p.toml:2: the volumes: found 'CC', wanted a drive letter such as 'C:'",
                 id="a drive of two letters"),
    pytest.param("[volumes]\nC = 'D:'", "p.toml:2: the volumes: found 'D:', wanted a device such as '\\Device\\HarddiskVolume3'",
                 id="a volume that is no device"),
    pytest.param("volumes = 5", "p.toml:1: the volumes, key 'volumes': found 5, wanted a table", id="volumes that are no table"),
    pytest.param("[[filter]]\nlayer = 'x'", "p.toml:1: filter number 1: found no 'name', wanted a name "
                 "(FWP_E_NULL_DISPLAY_NAME)", id="no name"),
    pytest.param("[[sublayer]]\nname = ''", "p.toml:1: sublayer number 1: found an empty 'name', wanted a name "
                 "(FWP_E_NULL_DISPLAY_NAME)", id="an empty name"),
    pytest.param("[[filter]]\nname = 5", "p.toml:2: filter number 1, key 'name': found 5, wanted a string", id="a name that is a number"),
    pytest.param(f"{FILTER}action = 'block'\nwieght = 5", "p.toml:5: filter 'f', key 'wieght': found an unknown key 'wieght', wanted "
                 "one of its keys, such as 'weight'", id="an unknown key of a filter"),
    pytest.param("[[filter]]\nname = 'f'\naction = 'block'", "p.toml:1: filter 'f': found no 'layer', wanted a layer, such as "
                 "'ale-auth-connect' (FWP_E_LAYER_NOT_FOUND)", id="no layer"),
    pytest.param("[[filter]]\nname = 'f'\naction = 'block'\nlayer = ['ale-auth-connect',\n'ale-auth-conect']",
                 "p.toml:5: filter 'f', key 'layer': found 'ale-auth-conect', wanted a layer, such as 'ale-auth-connect' or "
                 "'ale-auth-connect-v6' or 'ale-auth-connect-v4' (FWP_E_LAYER_NOT_FOUND)", id="an unknown layer"),
    pytest.param(FILTER, f"p.toml:1: filter 'f': found no 'action', {ACTIONS} (FWP_E_INVALID_ACTION_TYPE)", id="no action"),
    pytest.param(f"{FILTER}action = 'continue'", f"p.toml:4: filter 'f', key 'action': found 'continue', {ACTIONS} "
                 "(FWP_E_INVALID_ACTION_TYPE)", id="an action that no filter has"),
    pytest.param(f"{FILTER}action = {{ callout = 'c' }}", f"p.toml:4: filter 'f', key 'action': found a table with callout, {ACTIONS} "
                 "(FWP_E_INVALID_ACTION_TYPE)", id="a callout without a kind"),
    pytest.param(f"{FILTER}action = {{ callout = 'c', as = 'x' }}", f"p.toml:4: filter 'f', key 'action': found as = 'x', {ACTIONS} "
                 "(FWP_E_INVALID_ACTION_TYPE)", id="a callout of an unknown kind"),
    pytest.param(f"{FILTER}action = 'block'\nweight = 16", "p.toml:5: filter 'f', key 'weight': found 16, wanted 0 to 15, or an exact "
                 "weight of 64 bits as a string, such as '0x8000000000000000' (FWP_E_INVALID_WEIGHT)", id="weight 16"),
    pytest.param(f"{FILTER}action = 'block'\nweight = '0x10000000000000000'", "p.toml:5: filter 'f', key 'weight': found "
                 "'0x10000000000000000', wanted 0 to 15, or an exact weight of 64 bits as a string, such as '0x8000000000000000' "
                 "(FWP_E_INVALID_WEIGHT)", id="a weight of 65 bits"),
    pytest.param(f"{FILTER}action = 'block'\nhard = 1", "p.toml:5: filter 'f', key 'hard': found 1, wanted true or false",
                 id="hard as a number"),
    pytest.param(f"{FILTER}action = 'block'\nflags = ['indexd']", "p.toml:5: filter 'f', key 'flags': found 'indexd', wanted a flag, "
                 "such as 'indexed' (FWP_E_INVALID_FLAGS)", id="an unknown flag"),
    pytest.param(f"{FILTER}action = 'block'\npersistent = true\nboot-time = true", "p.toml:1: filter 'f': found 'persistent' with "
                 "'boot-time', wanted one of the two (FWP_E_INVALID_FLAGS)", id="persistent and boot-time"),
    pytest.param(f"{FILTER}action = 'block'\npermit-if-callout-unregistered = true", "p.toml:1: filter 'f': found "
                 "'permit-if-callout-unregistered' with action BLOCK, wanted it with a callout as 'terminating' or 'unknown' "
                 "(FWP_E_INVALID_FLAGS)", id="permit-if-callout-unregistered without a callout"),
    pytest.param(f"{SUBLAYER}{FILTER}action = 'block'\nsublayer = 't'", "p.toml:8: filter 'f', key 'sublayer': found 't', wanted a "
                 "sublayer (FWP_E_SUBLAYER_NOT_FOUND)", id="an unknown sublayer"),
    pytest.param(f"{FILTER}action = 'block'\nprovider = '{KEY}'", f"p.toml:5: filter 'f', key 'provider': found '{KEY}', wanted a "
                 "provider: ", id="an unknown provider"),
    pytest.param(f"{FILTER}action = {{ callout = 'c', as = 'unknown' }}", "p.toml:4: filter 'f', key 'action.callout': found 'c', wanted "
                 "a callout (FWP_E_CALLOUT_NOT_FOUND)", id="an unknown callout"),
    pytest.param(f"{FILTER}action = 'block'\ncontext = 'x'", "p.toml:5: filter 'f', key 'context': found 'x', wanted a context: ",
                 id="an unknown context"),
    pytest.param(f"{FILTER}action = 'block'\ncontext = -1", "p.toml:5: filter 'f', key 'context': found -1, wanted a number of 64 bits, "
                 "or the name or key of a context", id="a context below 0"),
    pytest.param(f"[[callout]]\nname = 'c'\nlayer = 'ale-auth-listen-v4'\n{FILTER}action = {{ callout = 'c', as = 'unknown' }}",
                 "p.toml:7: filter 'f', key 'action.callout': found a callout of FWPM_LAYER_ALE_AUTH_LISTEN_V4, wanted a callout of "
                 "FWPM_LAYER_ALE_AUTH_CONNECT_V4 (FWP_E_INCOMPATIBLE_LAYER)", id="a callout of another layer"),
    pytest.param("[[callout]]\nname = 'c'\n[[filter]]\nname = 'f'\nlayer = 'rpc-um'\naction = { callout = 'c', as = 'unknown' }",
                 "p.toml:3: filter 'f': found a callout at FWPM_LAYER_RPC_UM, wanted a kernel-mode layer for a callout "
                 "(FWP_E_ACTION_INCOMPATIBLE_WITH_LAYER)", id="a callout in user mode"),
    pytest.param("[[filter]]\nname = 'f'\nlayer = 'rpc-um'\naction = 'block'\nboot-time = true",
                 "p.toml:1: filter 'f': found 'boot-time' at FWPM_LAYER_RPC_UM, wanted a kernel-mode layer for a boot-time filter "
                 "(FWP_E_INCOMPATIBLE_LAYER)", id="boot-time in user mode"),
    pytest.param("[[filter]]\nname = 'f'\nlayer = 'inbound-transport-fast'\naction = 'block'",
                 "p.toml:1: filter 'f': found action BLOCK at FWPM_LAYER_INBOUND_TRANSPORT_FAST, wanted a callout at this layer "
                 "(FWP_E_ACTION_INCOMPATIBLE_WITH_LAYER)", id="a block at a fast layer"),
    pytest.param(f"{FILTER}action = 'block'\nsublayer = 'inspection'", "p.toml:1: filter 'f': found action BLOCK in "
                 "FWPM_SUBLAYER_INSPECTION, wanted a callout as 'inspection' (FWP_E_ACTION_INCOMPATIBLE_WITH_SUBLAYER)",
                 id="a block in the inspection sublayer"),
    pytest.param(f"{SUBLAYER}{FILTER}action = 'block'\nsublayer = 's'\npersistent = true", "p.toml:4: filter 'f': found sublayer 's', "
                 "which is not persistent, in a persistent filter, wanted a sublayer with persistent = true "
                 "(FWP_E_LIFETIME_MISMATCH)", id="a persistent filter in a sublayer that is not"),
    pytest.param(f"[[provider]]\nname = 'p'\n{FILTER}action = 'block'\nprovider = 'p'\nboot-time = true", "p.toml:3: filter 'f': found "
                 "provider 'p', which is not persistent, in a boot-time filter, wanted a provider with persistent = true "
                 "(FWP_E_LIFETIME_MISMATCH)", id="a boot-time filter of a provider that is not persistent"),
    pytest.param(f"[[callout]]\nname = 'c'\n{FILTER}action = {{ callout = 'c', as = 'unknown' }}\nfilter-type = '{KEY}'",
                 "p.toml:7: filter 'f', key 'filter-type': found it with action CALLOUT_UNKNOWN, wanted it with 'permit' or 'block'",
                 id="a filter type beside a callout"),
    pytest.param(f"{FILTER}action = 'block'\nkey = 'x'", "p.toml:5: filter 'f', key 'key': found 'x', wanted a GUID such as "
                 "'{00000000-0000-4000-8000-000000000001}'", id="a key that is no GUID"),
    pytest.param(2 * f"{FILTER}action = 'block'\nkey = '{KEY}'\n", "p.toml:6: filter 'f': found the key of the one in p.toml:1, wanted "
                 "another name, or a 'key' of its own (FWP_E_ALREADY_EXISTS)", id="one key twice"),
    pytest.param(f"[[filter]]\nname = 'f'\nlayer = 'ale-auth-connect'\naction = 'block'\nkey = '{KEY}'", "p.toml:5: filter 'f', key "
                 "'key': found one key for the filters at ALE_AUTH_CONNECT_V4 and ALE_AUTH_CONNECT_V6, wanted one layer, such as "
                 "'...-v4', or no key", id="one key for two filters"),
    pytest.param("[[filter]]\nname = 'f'\nlayer = 'ale-auth-connect'\naction = 'block'\nid = 7", "p.toml:5: filter 'f', key 'id': "
                 "found one id for the filters at ALE_AUTH_CONNECT_V4 and ALE_AUTH_CONNECT_V6, wanted one layer, such as '...-v4', "
                 "or no id", id="one id for two filters"),
    pytest.param(f"{FILTER}action = 'block'\nid = 7\n{FILTER}action = 'permit'\nid = 7", "p.toml:10: filter 'f', key 'id': found 7, "
                 "the id of the one in p.toml:1, wanted another id, or none", id="one id twice"),
    pytest.param(f"[[callout]]\nname = 'c'\nlayer = 'ale-auth-connect'\nkey = '{KEY}'", "p.toml:4: callout 'c', key 'key': found one key "
                 "for 2 layers, wanted one layer, such as '...-v4', or no key", id="one key for two callouts"),
    pytest.param(2 * SUBLAYER, "p.toml:4: sublayer 's': found the key of the one in p.toml:1, wanted another name, or a 'key' of its "
                 "own (FWP_E_ALREADY_EXISTS)", id="one name twice"),
    pytest.param(f"{SUBLAYER}{SUBLAYER}key = '{KEY}'\n{FILTER}action = 'block'\nsublayer = 's'", "p.toml:12: filter 'f', key 'sublayer': "
                 "found 's', which names 2 sublayers, wanted one of their keys: ", id="a name that two have"),
    pytest.param("[[sublayer]]\nname = 's'", "p.toml:1: sublayer 's': found no 'weight', wanted a number from 0 to 0xffff, heavier is "
                 "asked first, or 'unknown'", id="a sublayer without a weight"),
    pytest.param("[[sublayer]]\nname = 's'\nweight = 0x10000", "p.toml:3: sublayer 's', key 'weight': found 65536, wanted a number from 0 "
                 "to 65535", id="a sublayer too heavy"),
    pytest.param("[[callout]]\nname = 'c'\nregistered = 1", "p.toml:3: callout 'c', key 'registered': found 1, wanted true, false or "
                 "'unknown'", id="registered as a number"),
    pytest.param("[[context]]\nname = 'x'\ntype = 'genral'", "p.toml:3: context 'x', key 'type': found 'genral', wanted a type of "
                 "provider context, such as 'general'", id="an unknown type of context"),
    pytest.param("[[context]]\nname = 'x'\ndata = 'x'", "p.toml:3: context 'x', key 'data': found 'x', wanted bytes as hexadecimal "
                 "digits, such as '00ff'", id="data that is none"),
    pytest.param(f"{FILTER}action = 'block'\nid = -1", "p.toml:5: filter 'f', key 'id': found -1, wanted a number from 0 to "
                 "18446744073709551615", id="an id below 0"),
    pytest.param(f"{FILTER}action = 'block'\nother-flags = [1]", "p.toml:5: filter 'f', key 'other-flags': found 1, wanted a string",
                 id="a flag that is a number"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSALS)
def test_refusals(text: str, message: str) -> None:
    found = refusal(text)
    assert found.startswith(message)
    assert message.endswith(": ") or found == message


def test_a_key_far_too_long_is_shortened_in_the_message() -> None:
    assert len(refusal(f"{'x' * 10_000} = 1")) < 300
