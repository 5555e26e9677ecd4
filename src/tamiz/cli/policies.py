"""What every verb does with `--policy`: load, merge, warn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tamiz.cli.exits import say
from tamiz.cli.options import FieldsName
from tamiz.cli.told import volumes_of
from tamiz.formats.load import load_policies
from tamiz.model.catalog import FieldList
from tamiz.model.policy import Policy

_SHOWN = 10  # warnings; the others are counted


def load(
    paths: Sequence[Path] | None,
    last_wins: bool = False,
    fields: FieldsName | None = None,
    volume: Sequence[str] | None = None,
) -> Policy:
    """The policy of the files together, an empty one for none; its warnings go to stderr.

    `volume`: as `--volume` has them. Raises `InputError`, and `typer.BadParameter` for a volume that is none.
    """
    files = [str(path) for path in paths or ()]
    policy = load_policies(files, last_wins=last_wins, fields=_list(fields), volumes=volumes_of(volume))
    for warning in policy.warnings[:_SHOWN]:
        say(f"warning: {warning}")
    if len(policy.warnings) > _SHOWN:
        say(f"warning: and {len(policy.warnings) - _SHOWN} more of the kind")
    return policy


def _list(fields: FieldsName | None) -> FieldList | None:
    return None if fields is None else "older" if fields is FieldsName.OLDER else "newest"
