"""Files to one policy: read, tell the format by its content, merge, put volumes in the place of drives, complete.

Input: paths. Output: a `Policy` in which every filter has an id and, where its layer is known, an effective weight.
What goes wrong with a file is an `InputError` that names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tamiz.formats.appid import resolve
from tamiz.formats.complete import complete
from tamiz.formats.merge import merge
from tamiz.formats.netsh import looks_like_netsh, read_netsh
from tamiz.formats.toml.policy import base_name, read_toml
from tamiz.model.catalog import FieldList
from tamiz.model.errors import InputError
from tamiz.model.policy import Policy

MAX_BYTES: Final = 256 << 20
READABLE: Final = "a policy: an XML file of 'netsh wfp show state' or 'show filters', or a TOML policy"

# first bytes -> what the file is, for the message about a file that is no policy
_KNOWN_FORMATS: Final = (
    (b"MSCF", "a cabinet"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"ElfFile\0", "a Windows event log (.evtx)"),
    (b"\x0a\x0d\x0d\x0a", "a capture (pcapng)"),
    (b"\xd4\xc3\xb2\xa1", "a capture (pcap)"),
    (b"\xa1\xb2\xc3\xd4", "a capture (pcap)"),
    (b"\x4d\x3c\xb2\xa1", "a capture (pcap)"),
    (b"\xa1\xb2\x3c\x4d", "a capture (pcap)"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"{", "JSON"),
    (b"<", "XML of another kind"),
)


def load_policies(
    paths: Sequence[str],
    *,
    last_wins: bool = False,
    fields: FieldList | None = None,
    volumes: Mapping[str, str] = MappingProxyType({}),
) -> Policy:
    """The policy of all `paths` together, in their order (see `tamiz.formats.merge`); no paths: an empty policy.

    TOML files may refer to the objects of every other file, and of the TOML files before them. `last_wins`: of objects
    that differ under one key the last file's counts. `fields`: the field lists of layers that no file describes; None:
    as the files say, else the newest. `volumes`: devices by drive ("C:"), for the paths of applications; the files' own
    count for all of them too. Raises `InputError`.
    """
    contents = [(path, _read(path)) for path in paths]
    labels = _labels(paths)
    policies: dict[int, Policy] = {}
    for n, (path, data) in enumerate(contents):
        if looks_like_netsh(data):
            policies[n] = read_netsh(data, path)
    for n, (path, data) in enumerate(contents):
        if n not in policies:
            policies[n] = _read_toml(data, path, list(policies.values()), last_wins, labels[path])
    merged = resolve(merge([policies[n] for n in range(len(contents))] or [Policy()], last_wins=last_wins), volumes)
    return complete(merged if fields is None else replace(merged, fields=fields))


def _labels(paths: Sequence[str]) -> dict[str, str]:
    """What tells files apart in the keys that are made for their filters: the base name, and a number where several
    files have the same one."""
    found: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        base = base_name(path)
        others = sum(base_name(other) == base for other in found)
        found[path] = f"{base}:{others + 1}" if others else base
    return found


def _read_toml(data: bytes, path: str, before: Sequence[Policy], last_wins: bool, label: str) -> Policy:
    _refuse_other_formats(data, path)
    return read_toml(data, path, merge(before, last_wins=last_wins) if before else None, label)


def _refuse_other_formats(data: bytes, path: str) -> None:
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    for start, what in _KNOWN_FORMATS:
        if data.startswith(start) or (len(start) == 1 and text.startswith(start)):
            raise InputError(path, "the file", what, READABLE)
    if not text:
        raise InputError(path, "the file", "nothing in it", READABLE)
    if b"\0" in data:
        raise InputError(path, "the file", "binary data", READABLE)


def _read(path: str) -> bytes:
    """The bytes of a file of at most `MAX_BYTES`; `InputError` for what cannot be read."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise InputError(path, "the file", "a folder", "a file") from None
    except FileNotFoundError:
        raise InputError(path, "the file", "no such file", "a file") from None
    except PermissionError:
        raise InputError(path, "the file", "no permission to read it", "a file that can be read") from None
    except (OSError, ValueError) as error:
        raise InputError(path, "the file", str(error), "a file that can be read") from None
    if len(data) > MAX_BYTES:
        raise InputError(path, "the file", f"more than {MAX_BYTES} bytes", f"at most {MAX_BYTES}")
    return data
