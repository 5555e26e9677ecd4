"""What the user tells about an endpoint, as facts; each thing told is repeated by the answer.

The facts hold at every layer, as far as nothing better is known (`tamiz.stack.witness.Known`). Names and values are
written as in a policy file (`tamiz.formats.toml.names` and `values`), paths of applications as `tamiz.formats.appid`
takes them.

Sources: service SIDs and packages, spec conditions.md 4.5 and 4.6; fields 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import typer

from tamiz.cli.options import ProfileName
from tamiz.engine.callouts import Assumption, Callouts
from tamiz.formats.appid import AppIds, nt_path, read_volume
from tamiz.formats.toml.lines import Document
from tamiz.formats.toml.names import field_names
from tamiz.formats.toml.table import Spot
from tamiz.formats.toml.values import SID_NAMES, OtherFamily, Target, Volumes, convert, flag_bits
from tamiz.model import catalog
from tamiz.model._tables import FIELD, DataType, FieldKind
from tamiz.model.errors import InputError, shorten
from tamiz.model.facts import Fact, Facts, Unknown
from tamiz.model.keys import CalloutKey, FieldKey
from tamiz.model.layers import canonical_field
from tamiz.model.policy import Policy
from tamiz.model.security import SecurityDescriptor, Token
from tamiz.model.sids import ALL_PACKAGES, ANONYMOUS, AUTHENTICATED_USERS, EVERYONE, NULL_SID, Sid, service_sid
from tamiz.model.values import EMPTY, Value, blob, blob_text, sid_value, token_value

# what is told of an interface -> the fields that show it
INTERFACE: Final[Mapping[str, tuple[FieldKey, ...]]] = {
    "luid": (FIELD.IP_LOCAL_INTERFACE, FIELD.IP_ARRIVAL_INTERFACE, FIELD.IP_NEXTHOP_INTERFACE),
    "index": (FIELD.INTERFACE_INDEX, FIELD.ARRIVAL_INTERFACE_INDEX, FIELD.NEXTHOP_INTERFACE_INDEX),
    "type": (FIELD.INTERFACE_TYPE, FIELD.ARRIVAL_INTERFACE_TYPE, FIELD.NEXTHOP_INTERFACE_TYPE),
    "tunnel": (FIELD.TUNNEL_TYPE, FIELD.ARRIVAL_TUNNEL_TYPE, FIELD.NEXTHOP_TUNNEL_TYPE),
}
PROFILE_FIELDS: Final = (
    FIELD.ORIGINAL_PROFILE_ID,
    FIELD.CURRENT_PROFILE_ID,
    FIELD.LOCAL_INTERFACE_PROFILE_ID,
    FIELD.ARRIVAL_INTERFACE_PROFILE_ID,
    FIELD.NEXTHOP_INTERFACE_PROFILE_ID,
)
_APPS: Final = (FIELD.ALE_APP_ID, FIELD.ALE_ORIGINAL_APP_ID)
_TOKENS: Final = (DataType.TOKEN_INFORMATION_TYPE, DataType.TOKEN_ACCESS_INFORMATION_TYPE)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Told:
    """The facts, what is assumed of callouts, and one sentence for each thing that the answer rests on."""

    facts: Facts
    callouts: Callouts
    assumptions: tuple[str, ...]


def facts_from_options(
    policy: Policy,
    *,
    app: str | None = None,
    volume: Sequence[str] | None = None,
    package: str | None = None,
    service: str | None = None,
    user: str | None = None,
    profile: ProfileName | None = None,
    interface: str | None = None,
    assume: Sequence[str] | None = None,
) -> Told:
    """The options' values as facts; `typer.BadParameter` (exit code 2) for one that cannot be read.

    `policy` is asked for the application paths and the services that it names.
    """
    facts: dict[FieldKey, Fact] = {}
    said: list[str] = []
    if app is not None:
        fact, sentence = app_fact(app, volume or (), policy)
        facts.update(dict.fromkeys(_APPS, fact))
        said.append(sentence)
    if package is not None:
        facts[FIELD.ALE_PACKAGE_ID] = sid_value(_sid(package, "--package"))
        said.append("outside any package and app container" if package == "none" else f"in the app container {package}")
    token = _token(policy, user, package, service)
    if token is not None:
        facts[FIELD.ALE_USER_ID] = facts[FIELD.ALE_PACKAGE_FAMILY_NAME] = token_value(token)
        said += [f"{name} {told}" for name, told in (("user", user), ("service", service)) if told]
    if profile is not None:
        facts.update((field, _value(field, profile.value, "--profile")) for field in PROFILE_FIELDS)
        said.append(f"every interface is in the {profile.value} profile")
    if interface is not None:
        facts.update(_interface(interface))
        said.append(f"interface {interface}")
    fields, callouts, apps = _assumed(assume or (), volume or (), policy)
    return Told({**facts, **fields}, callouts, (*said, *(assume or ()), *apps))


# what a packet or a question shows itself, so that nothing can be assumed of it
_SHOWN: Final = (
    FIELD.IP_PROTOCOL, FIELD.IP_LOCAL_ADDRESS, FIELD.IP_REMOTE_ADDRESS, FIELD.IP_LOCAL_PORT, FIELD.IP_REMOTE_PORT,
)  # fmt: skip


def refuse_shown(told: Told) -> None:
    """`typer.BadParameter` where something is assumed that the connections themselves show."""
    for field in _SHOWN:
        if field in told.facts:
            raise _bad("--assume", field.short, "a field that the connection itself does not show")


def _bad(option: str, found: str, wanted: str) -> typer.BadParameter:
    return typer.BadParameter(f"found {found}, wanted {wanted}", param_hint=option)


def _read(option: str, reader: Callable[[], R]) -> R:
    """What `reader` gives; an input that it cannot read is a usage error of `option`."""
    try:
        return reader()
    except InputError as error:
        raise _bad(option, error.found, error.wanted) from error


def _sid(text: str, option: str) -> Sid:
    if text in SID_NAMES:
        return SID_NAMES[text]
    try:
        return Sid.parse(text)
    except ValueError:
        raise _bad(option, f"'{shorten(text)}'", f"a SID S-1-..., or one of {', '.join(SID_NAMES)}") from None


# -- applications ----------------------------------------------------------------------------------------------------


def app_fact(path: str, volumes: Sequence[str], policy: Policy, option: str = "--app") -> tuple[Fact, str]:
    """ALE_APP_ID of a path, and the sentence that says what was taken; `volumes` as `--volume` has them, before the
    policy's own."""
    known = {**dict(policy.volumes), **volumes_of(volumes)}
    found = _read(option, lambda: nt_path(path, known, _named_apps(policy)))
    return _one_of(found), f"application {found.note or _shown(found.paths[0])}"


def _shown(nt_path: str) -> str:
    """A path for people; one whose volume is not known keeps its drive (`tamiz.formats.appid`)."""
    return nt_path.removeprefix("\\??\\")


def volumes_of(texts: Sequence[str] | None) -> dict[str, str]:
    """The devices by drive that `--volume` tells; `typer.BadParameter` for one that cannot be read."""
    return _read("--volume", lambda: dict(map(read_volume, texts or ())))


def _one_of(found: AppIds) -> Fact:
    values = tuple(blob(data) for data in found.blobs)
    return values[0] if len(values) == 1 else Unknown(values, may_be_empty=False)


def _named_apps(policy: Policy) -> Iterator[str]:
    """The application paths that the policy's conditions name."""
    for f in policy.filters:
        for c in f.conditions:
            if c.field in _APPS and isinstance(c.value.data, bytes):
                text = blob_text(c.value.data)
                if text is not None:
                    yield text


# -- tokens ----------------------------------------------------------------------------------------------------------


def _token(policy: Policy, user: str | None, package: str | None, service: str | None) -> Token | None:
    """What is known of the token when any of the three is told: a process's token, so Everyone is in it [I]."""
    if user is None and package is None and service is None:
        return None
    present: set[Sid] = {EVERYONE}
    absent: set[Sid] = set()
    if user is not None:
        sid = _sid(user, "--user")
        present |= {sid} if sid == ANONYMOUS else {sid, AUTHENTICATED_USERS}
    if package is not None and package != "none":
        present |= {_sid(package, "--package"), ALL_PACKAGES}
    if service == "":
        raise _bad("--service", "''", "the name of a service, its SID, or none")
    if service == "none":
        absent |= set(_named_services(policy))
    elif service is not None:
        present.add(_sid(service, "--service") if service.startswith("S-1-") else service_sid(service))
    contained = None if package is None else _sid(package, "--package") != NULL_SID
    attributes: dict[str, tuple[str, ...]] | None = {} if package == "none" else None  # it has no package's claims
    return Token(frozenset(present), frozenset(absent), app_container=contained, attributes=attributes)


def _named_services(policy: Policy) -> Iterator[Sid]:
    """The service SIDs in the policy's security descriptors."""
    for f in policy.filters:
        for c in f.conditions:
            if isinstance(c.value.data, SecurityDescriptor):
                for ace in c.value.data.dacl or ():
                    if isinstance(ace.trustee, Sid) and ace.trustee.is_service:
                        yield ace.trustee


# -- interfaces and single fields ------------------------------------------------------------------------------------


def _interface(text: str) -> dict[FieldKey, Fact]:
    found: dict[FieldKey, Fact] = {}
    for part in text.split(","):
        name, _, value = part.rpartition("=")
        fields = INTERFACE.get(name or "luid")
        if fields is None:
            raise _bad("--interface", f"'{shorten(part)}'", f"a number, or one of {', '.join(INTERFACE)} and its value")
        found.update((field, _value(field, value, "--interface")) for field in fields)
    return found


def _assumed(
    pairs: Iterable[str], volumes: Sequence[str], policy: Policy
) -> tuple[dict[FieldKey, Fact], Callouts, list[str]]:
    """The facts, the callouts' answers, and what was taken for each application."""
    fields: dict[FieldKey, Fact] = {}
    single: dict[CalloutKey, Assumption] = {}
    every: Assumption | None = None
    said: list[str] = []
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise _bad("--assume", f"'{shorten(pair)}'", "FIELD=VALUE")
        if name == "callout":
            every = _callout_answer(value)
        elif name.startswith("callout:"):
            single[_callout(name.removeprefix("callout:"), policy)] = _callout_answer(value)
        else:
            field = _field(name)
            if field in _APPS and value.lower() != "empty":
                fields[field], sentence = app_fact(value, volumes, policy, "--assume")
                said += [sentence] if sentence != f"application {value.lower()}" else []
            else:
                fields[field] = _value(field, value, "--assume")
    return fields, Callouts(assume=single, assume_all=every), said


def _callout(name: str, policy: Policy) -> CalloutKey:
    """The callout of an FWPM_ name or GUID, or of the display name that the policy gives it."""
    key, known = catalog.resolve(CalloutKey, name)
    named = [c.key for c in policy.callouts if c.name == name]
    if known or key.is_guid:
        return key
    if len(named) != 1:
        found = f"{len(named)} callouts named '{shorten(name)}'" if named else f"'{shorten(name)}'"
        raise _bad("--assume", found, "a callout of the policy: its FWPM_ name, its GUID, or its display name")
    return named[0]


def _callout_answer(word: str) -> Assumption:
    try:
        return Assumption(word)
    except ValueError:
        raise _bad("--assume", f"'{shorten(word)}'", ", ".join(a.value for a in Assumption)) from None


def _field(name: str) -> FieldKey:
    """The field of a name as policies have it (remote-port, ip-remote-port), in any case, or of an FWPM_ name."""
    key, known = catalog.resolve(FieldKey, name)
    found = canonical_field(key) if known else field_names().get(name.lower().replace("_", "-"))
    if found is None:
        raise _bad("--assume", f"'{shorten(name)}'", "the name of a field; tamiz catalog conditions lists them")
    return found


def _value(field: FieldKey, text: str, option: str) -> Value:
    """`text` as a value of the type that the field has at the layers that have it; `empty` is EMPTY."""
    if text.lower() == "empty":
        return EMPTY
    problem = _bad(option, field.short, "a field that some layer has")
    for layer in catalog.layers().values():
        described = layer.field(field)
        if described is not None:
            try:
                return _at(Target(described, layer, Volumes()), text, option)
            except (InputError, OtherFamily) as error:
                problem = _bad(option, error.found, error.wanted)
    raise problem


def _at(target: Target, text: str, option: str) -> Value:
    """The value at one layer. Raises `InputError`, or `OtherFamily`."""
    spot = Spot(Document(option, {}, {}), (target.field.key.short,), "the option", ())
    if target.field.type in _TOKENS:
        return token_value(Token(frozenset(_sid(part, option) for part in text.split(","))))
    if target.field.kind is FieldKind.FLAGS or "|" in text:
        return flag_bits(text.split("|"), target, spot)
    value = convert(text, target, spot)
    if value.type is not target.field.type:
        raise spot.error(f"'{shorten(text)}'", "one value")
    return value
