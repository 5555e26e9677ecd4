"""Scenarios: what two hosts do, as a script. The documented ones are scripts too, in `scenarios/`.

Input: a name, or the TOML text of a script. Output: a `Scenario`. The language:

* `title`, `protocol` ("tcp", "udp" or "icmp"), `port` (the server's), `until` (the last documented step: "HOST EVENT",
  EVENT being an event's word or "discard"; without it the scenario ends when nothing more happens);
* `[[act]]`: one thing that a host does: `HOST = VERB`, HOST being "client" or "server", and what the verb needs:
  `listen` (TCP), `bind` (UDP; `port`), `connect`, `send`, `sendto` (UDP) and `ping` (`data` as text, `hex`, or
  `bytes`: how many), `close`, `abort`, `add-filter` (`filter`: a table as in a policy file), `remove-filter` (`name`),
  `wait` (`seconds`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from tamiz.formats.toml.filters import Reader
from tamiz.formats.toml.lines import Document, read_document
from tamiz.formats.toml.names import nearest
from tamiz.formats.toml.objects import Objects
from tamiz.formats.toml.table import Spot, Table, shown
from tamiz.formats.toml.values import Volumes
from tamiz.model import catalog
from tamiz.model.objects import Filter

NAMES: Final = (
    "tcp-establish", "tcp-no-listener", "tcp-data", "tcp-reauthorize", "tcp-reauthorize-fail", "tcp-terminate",
    "tcp-session", "udp-exchange", "udp-no-listener", "udp-reauthorize", "udp-reauthorize-fail", "udp-terminate",
    "icmp-echo",
)  # fmt: skip
HOSTS: Final = ("client", "server")
PROTOCOLS: Final = ("tcp", "udp", "icmp")
EVENTS: Final = ("bind", "listen", "connect", "send", "sendto", "receive", "close", "packet", "discard")
MAX_DATA: Final = 64 << 20  # bytes
MAX_WAIT: Final = 365 * 86_400  # seconds

_DATA: Final = ("data", "hex", "bytes")
# verb -> the keys that it takes beside the host's
VERBS: Final[dict[str, tuple[str, ...]]] = {
    "listen": ("port",),
    "bind": ("port",),
    "connect": (),
    "send": _DATA,
    "sendto": _DATA,
    "ping": _DATA,
    "close": (),
    "abort": (),
    "add-filter": ("filter",),
    "remove-filter": ("name",),
    "wait": ("seconds",),
}
# verb -> the protocols that have such a call, where not all do
_CALLS: Final[dict[str, tuple[str, ...]]] = {
    "listen": ("tcp",),
    "bind": ("udp",),
    "connect": ("tcp", "udp"),
    "send": ("tcp", "udp"),
    "sendto": ("udp",),
}
_DEFAULT_PORTS: Final = {"tcp": 443, "udp": 53, "icmp": 0}


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that `host` does. `filters` of add-filter; `name` of remove-filter; `wait` in nanoseconds."""

    host: str
    verb: str
    data: bytes = b""
    port: int | None = None
    filters: tuple[Filter, ...] = ()
    name: str = ""
    wait: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script. `until`: (host, event) after which nothing is shown any more."""

    name: str
    title: str
    protocol: str
    port: int
    acts: tuple[Act, ...]
    until: tuple[str, str] | None = None


def built_in(name: str) -> Scenario:
    """The documented scenario `name`, one of `NAMES`; `KeyError` for another name."""
    if name not in NAMES:
        raise KeyError(name)
    text = files("tamiz.sources").joinpath("scenarios", f"{name}.toml").read_bytes()
    return read_scenario(text, f"{name}.toml", name)


def read_scenario(data: bytes, file: str, name: str) -> Scenario:
    """The scenario of a script; `file` stands in messages. Raises `InputError` for anything else."""
    document = read_document(data, file)
    table = Table(Spot(document, (), "the scenario", ()), dict(document.values))
    protocol = _word(table, "protocol", PROTOCOLS)
    port = table.number("port", 1, 65_535) or _DEFAULT_PORTS[protocol]
    title, until = table.text("title") or name, _until(table)
    acts = tuple(_acts(document, table.get("act"), protocol))
    table.done()
    return Scenario(name, title, protocol, port, acts, until)


def _word(table: Table, key: str, words: tuple[str, ...]) -> str:
    word = table.text(key)
    if word not in words:
        raise table.spot.down(key).error(_found(word), f"one of {', '.join(words)}")
    return word


def _found(value: object) -> str:
    return "nothing" if value is None else shown(value)


def _until(table: Table) -> tuple[str, str] | None:
    text = table.text("until")
    if text is None:
        return None
    host, _, event = text.partition(" ")
    if host not in HOSTS or event not in EVENTS:
        wanted = f"'HOST EVENT', HOST one of {', '.join(HOSTS)}, EVENT one of {', '.join(EVENTS)}"
        raise table.spot.down("until").error(shown(text), wanted)
    return host, event


def _acts(document: Document, items: object, protocol: str) -> Iterator[Act]:
    spot = Spot(document, ("act",), "the scenario", ())
    if not isinstance(items, list) or not items:
        raise spot.error(shown(items) if items else "no [[act]]", "one [[act]] or more")
    for n, item in enumerate(items):
        yield _act(Table(Spot(document, ("act", n), f"act number {n + 1}", ("act", n)), item), protocol)


def _act(table: Table, protocol: str) -> Act:
    given = [host for host in HOSTS if table.get(host) is not None]
    if len(given) != 1:
        raise table.spot.error(f"{len(given)} hosts", "one of: client = VERB, server = VERB")
    host = given[0]
    verb = table.text(host)
    if verb not in VERBS:
        raise table.spot.down(host).error(shown(verb), nearest(verb or "", tuple(VERBS), "one of its verbs"))
    if protocol not in _CALLS.get(verb, PROTOCOLS):
        raise table.spot.down(host).error(f"'{verb}' in a scenario of {protocol}", f"that of {_CALLS[verb][0]}")
    keys = VERBS[verb]
    act = Act(
        host,
        verb,
        data=_data(table) if "data" in keys else b"",
        port=table.number("port", 1, 65_535) if "port" in keys else None,
        filters=_filters(table) if "filter" in keys else (),
        name=_name(table) if "name" in keys else "",
        wait=_nanoseconds(table) if "seconds" in keys else 0,
    )
    table.done()
    return act


def _data(table: Table) -> bytes:
    given = [key for key in _DATA if table.get(key) is not None]
    if len(given) > 1:
        raise table.spot.error(f"both {given[0]!r} and {given[1]!r}", "one of them")
    text, digits, size = table.text("data"), table.text("hex"), table.number("bytes", 0, MAX_DATA)
    if size is not None:
        return (bytes(range(256)) * (size // 256 + 1))[:size]
    try:
        return (text or "").encode() if digits is None else bytes.fromhex(digits)
    except ValueError:
        raise table.spot.down("hex").error(shown(digits), "pairs of hexadecimal digits") from None


def _name(table: Table) -> str:
    name = table.text("name")
    if not name:
        raise table.spot.down("name").error(_found(name), "the name of a filter")
    return name


def _filters(table: Table) -> tuple[Filter, ...]:
    if table.get("filter") is None:
        raise table.spot.down("filter").error("nothing", "a table, as in a policy file")
    reader = Reader(Objects(), catalog.layers(), Volumes({}), table.spot.document.name)
    reader.read(Table(table.spot.down("filter"), table.get("filter")))
    return tuple(reader.filters)


def _nanoseconds(table: Table) -> int:
    seconds = table.get("seconds")
    good = isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds <= MAX_WAIT
    if not good:
        raise table.spot.down("seconds").error(_found(seconds), f"seconds from 0 to {MAX_WAIT}")
    return int(seconds * 1_000_000_000)
