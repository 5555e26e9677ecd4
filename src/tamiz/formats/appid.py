r"""Application ids: from the path that people know to the blob that Windows compares.

ALE_APP_ID is the NT device path in lower case, UTF-16LE, with its NUL (conditions.md 4.4 [D, O]):
`\device\harddiskvolume3\acme\vpn.exe`. The kernel's own id is `System` as it stands [O]. Which device is behind `C:`
is a fact of one machine, the *volume map*; a dump does not hold it. Without it a DOS path is compared by the path
after the volume (design.md 5): where exactly one known volume has that path, the match is an assumption that the
output states; where several have it, the answer depends on which one it is.

A DOS path whose volume nobody told keeps its drive letter, in the form that the NT namespace has for it,
`\??\c:\acme\vpn.exe`: no guess is made, and the same drive letter elsewhere still means the same file. Once its volume
is told, by another file or by the user, `resolve` puts the device in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from tamiz.model.conditions import Condition
from tamiz.model.errors import InputError, Place, shorten
from tamiz.model.objects import Filter
from tamiz.model.policy import Policy
from tamiz.model.values import app_id, blob, blob_text

SYSTEM: Final = "System"
MAX_PATH: Final = 32767  # UTF-16 units of an NT path

_DOS = re.compile(r"(?:\\\\[?.]\\|\\\?\?\\)?([a-zA-Z]):[\\/]+([^\\/].*)", re.DOTALL)
_UNC = re.compile(r"\\\\(?:\?\\UNC\\)?([^\\?.][^\\]*\\.+)", re.DOTALL)
_NT = re.compile(r"(\\device\\[^\\]+)\\(.+)", re.DOTALL | re.IGNORECASE)
_DRIVE = re.compile(r"(\\\?\?\\[a-z]:)\\(.+)", re.DOTALL | re.IGNORECASE)
_SYMBOLIC: Final = "\\??\\".encode("utf-16-le")
_LETTER = re.compile(r"[a-zA-Z]:?")


class Basis(Enum):
    """What a resolved application id rests on."""

    EXACT = "exact"
    ASSUMED = "assumed"
    SEVERAL = "several"


@dataclass(frozen=True, slots=True)
class AppIds:
    """The NT paths that a path may be, in lower case: one, or with `SEVERAL` all that fit; `note` says why."""

    paths: tuple[str, ...]
    basis: Basis
    note: str = ""

    @property
    def blobs(self) -> tuple[bytes, ...]:
        """The ALE_APP_ID of each path."""
        return tuple(app_blob(path) for path in self.paths)


def app_blob(path: str) -> bytes:
    """The ALE_APP_ID blob of an NT path. `System` is not put in lower case [O]."""
    if path.lower() == SYSTEM.lower():
        return (SYSTEM + "\0").encode("utf-16-le")
    return app_id(path)


def read_volume(text: str) -> tuple[str, str]:
    r"""The drive letter and device of `C:=\Device\HarddiskVolume3`, as `volumes` maps them; `InputError` otherwise."""
    letter, equals, device = text.partition("=")
    if not equals:
        raise InputError(Place("--volume"), "the volume", f"'{shorten(text)}'", r"such as C:=\Device\HarddiskVolume3")
    return drive(letter, Place("--volume")), device_of(device, Place("--volume"))


def drive(text: str, place: Place) -> str:
    """A drive letter as `volumes` has it: `C:`."""
    if not _LETTER.fullmatch(text):
        raise InputError(place, "the volumes", f"'{shorten(text)}'", "a drive letter such as 'C:'")
    return text[0].upper() + ":"


def device_of(text: str, place: Place) -> str:
    r"""A volume's device, in lower case: `\device\harddiskvolume3`."""
    device = text.rstrip("\\").lower()
    if not _NT.fullmatch(device + "\\x") or device.count("\\") != 2:
        raise InputError(place, "the volumes", f"'{shorten(text)}'", r"a device such as '\Device\HarddiskVolume3'")
    return device


def missing(letter: str) -> str:
    """What a warning says of a drive letter without a volume; `resolve` takes it back."""
    return f": {letter} is not in [volumes]: "


def resolve(policy: Policy, volumes: Mapping[str, str]) -> Policy:
    """`policy` with devices for the drive letters of its conditions, as far as `volumes` or its own map tell them."""
    known = {**dict(policy.volumes), **volumes}
    if not known:
        return policy
    return replace(
        policy,
        filters=tuple(_resolved(f, known) for f in policy.filters),
        volumes=tuple(known.items()),
        warnings=tuple(w for w in policy.warnings if not any(missing(letter) in w for letter in known)),
    )


def _resolved(f: Filter, volumes: Mapping[str, str]) -> Filter:
    conditions = tuple(_on_device(c, volumes) for c in f.conditions)
    return f if conditions == f.conditions else replace(f, conditions=conditions)


def _on_device(condition: Condition, volumes: Mapping[str, str]) -> Condition:
    data = condition.value.data
    if not isinstance(data, bytes) or not data.startswith(_SYMBOLIC):
        return condition
    match = _DRIVE.fullmatch(blob_text(data) or "")
    device = volumes.get(match[1][4:].upper()) if match else None
    if match is None or device is None:
        return condition
    return replace(condition, value=blob(app_blob(f"{device}\\{match[2]}")))


def nt_path(path: str, volumes: Mapping[str, str], known: Iterable[str] = ()) -> AppIds:
    r"""The application ids that `path`, a DOS, UNC or NT path or `System`, may have.

    `volumes` maps `C:` to a device; `known` are the NT paths that a policy names, which decide where `volumes` does
    not tell. Raises `InputError` for a path that is not absolute.
    """
    if path.lower() == SYSTEM.lower():
        return AppIds((SYSTEM,), Basis.EXACT)
    dos = _DOS.fullmatch(_checked(path))
    if dos is None:
        return _nt(path.lower(), frozenset(k.lower() for k in known))
    letter, rest = dos[1].upper() + ":", _plain(dos[2]).lower()
    if letter in volumes:
        return AppIds((f"{volumes[letter].lower()}\\{rest}",), Basis.EXACT)
    return _without_volume(letter, rest, frozenset(k.lower() for k in known))


def _checked(path: str) -> str:
    absolute = _DOS.fullmatch(path) or _NT.fullmatch(path) or _UNC.fullmatch(path)
    if not absolute or len(path) > MAX_PATH or "\0" in path:
        found = f"'{shorten(path)}'"
        wanted = r"an absolute path such as C:\Acme\vpn.exe or \Device\HarddiskVolume3\Acme\vpn.exe, or System"
        raise InputError(Place("the application"), "its path", found, wanted)
    return path


def _plain(rest: str) -> str:
    """The path after the volume, with single backslashes."""
    return re.sub(r"[\\/]+", r"\\", rest)


def _nt(path: str, known: frozenset[str]) -> AppIds:
    r"""An NT path is exact, unless the policy has only its drive letter, which may be this volume."""
    unc = _UNC.fullmatch(path)
    if unc:
        return AppIds((f"\\device\\mup\\{_plain(unc[1])}",), Basis.EXACT)
    letters = sorted(k for k in known if _DRIVE.fullmatch(k) and tail(k) == tail(path))
    if not letters or path in known:
        return AppIds((path,), Basis.EXACT)
    if len(letters) > 1:
        note = f"{path} may be any of {', '.join(letters)}: the policy has no volume map"
        return AppIds((*letters, path), Basis.SEVERAL, note)
    return AppIds((letters[0],), Basis.ASSUMED, f"{path} is taken for {letters[0]}: the policy has no volume map")


def _without_volume(letter: str, rest: str, known: frozenset[str]) -> AppIds:
    symbolic = f"\\??\\{letter.lower()}\\{rest}"
    same = tuple(sorted(k for k in known if tail(k) == rest and (k == symbolic or not _DRIVE.fullmatch(k))))
    if not same or same == (symbolic,):
        # no rule names this path on any volume, or the rules have the same drive letter: the volume changes nothing
        return AppIds((symbolic,), Basis.EXACT)
    if len(same) == 1:
        return AppIds(same, Basis.ASSUMED, f"{letter}\\{rest} is taken for {same[0]}: no --volume {letter} was given")
    note = f"{letter}\\{rest} may be any of {', '.join(same)}: no --volume {letter} was given"
    return AppIds(same, Basis.SEVERAL, note)


def tail(path: str) -> str | None:
    r"""The path after the volume of an NT path or of `\??\c:\...`; None for one without a volume (`System`)."""
    match = _NT.fullmatch(path) or _DRIVE.fullmatch(path)
    return match[2] if match else None
