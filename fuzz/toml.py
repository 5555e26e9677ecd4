"""Fuzzing the TOML policy reader: any bytes give a policy or an `InputError`."""

from __future__ import annotations

from pathlib import Path

from tamiz.formats.complete import complete
from tamiz.formats.merge import merge
from tamiz.formats.toml.conditions import SHAPES
from tamiz.formats.toml.names import FIELD_ALIASES, layer_names
from tamiz.formats.toml.policy import read_toml
from tamiz.formats.toml.values import CONSTRUCTORS
from tamiz.model.errors import InputError

ALLOWED = (InputError,)

TOKENS = (
    b"[[", b"]]", b"{ ", b" }", b"[" * 40, b"a." * 40, b'"""', b"'''", b"\\", b"\n", b"= ", b"#", b"[volumes]",
    *(f'"{word}"'.encode() for word in (*FIELD_ALIASES, *SHAPES, *CONSTRUCTORS, *list(layer_names())[:40])),
)  # fmt: skip

_EXAMPLES = Path(__file__).parents[1] / "examples"

_SHAPES = rb"""
fields = "older"
[volumes]
"C:" = '\Device\HarddiskVolume3'
[[provider]]
name = "p"
key = "{00000000-0000-4000-8000-000000000001}"
service = "svc"
provider-data = "00ff"
[[sublayer]]
name = "s"
weight = "0xFFFF"
[[sublayer]]
name = "t"
weight = 65535
[[callout]]
name = "c"
layer = "ale-auth-connect"
registered = "unknown"
[[context]]
name = "x"
type = "general"
data = '00'
[[filter]]
name = "a"
layer = ["ale-auth-connect", "FWPM_LAYER_ALE_AUTH_RECV_ACCEPT_V4"]
sublayer = "s"
provider = "p"
action = "permit"
weight = "0x8000000000000000"
context = "x"
conditions.remote-address = ["10.0.0.0/8", { range = ["fe80::", "fe80::1"] }, { mask = ["10.1.0.0", "255.0.0.0"] }]
conditions.local-port = [{ greater = 1023 }, { at-most = 5 }, { not = 80 }]
conditions.flags = [{ none-set = ["is-loopback", 4] }, { equal = 1 }, { any-set = "is-reauthorize" }]
conditions.app = [{ suffix = 'x.exe' }, 'C:\a\b.exe', { hex = "00" }, "System", 'D:\q']
conditions.user = [{ sd = "O:LSD:(A;;CC;;;WD)" }, { service = ["Dnscache", "mpssvc"] }, "everyone"]
conditions.package = [{ empty = true }, { not = "none" }, { sid = "S-1-15-2-1" }]
[[filter]]
name = '''b'''
layer = "ale-auth-connect-v4"
action = { callout = "c", as = "terminating" }
permit-if-callout-unregistered = true
[filter.conditions]
"protocol" = "icmp"
icmp-type = ["echo-request", 3]
interface-type = { all-set = 6 }
"""


def seeds() -> list[bytes]:
    """The examples, and one policy with every shape."""
    return [_SHAPES, *(path.read_bytes() for path in sorted(_EXAMPLES.glob("*.toml")))]


def target(data: bytes) -> None:
    """Read `data`; a policy that comes out can also be merged with itself and completed."""
    policy = read_toml(data, "fuzz.toml")
    complete(merge([policy, policy]))
