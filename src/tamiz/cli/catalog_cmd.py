"""`tamiz catalog`: what Windows itself brings, as text or JSON."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tamiz.cli import output
from tamiz.cli.options import FormatOption, OutputOption
from tamiz.cli.output import Document, Format

if TYPE_CHECKING:
    from rich.console import Console

    from tamiz.cli.catalog_items import Item


class What(StrEnum):
    """The kinds that the catalog lists."""

    LAYERS = "layers"
    CONDITIONS = "conditions"
    SUBLAYERS = "sublayers"
    CALLOUTS = "callouts"
    PROVIDERS = "providers"
    ERRORS = "errors"
    FLOWS = "flows"
    MATCH_TYPES = "match-types"


class Fields(StrEnum):
    """The two known field lists of the layers."""

    NEWEST = "newest"
    OLDER = "older"


def catalog(
    what: Annotated[What, typer.Argument(metavar="WHAT", help="What to list.")],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of them: its name, GUID, number or error code.")
    ] = None,
    fields: Annotated[
        Fields, typer.Option(help="The layers' field lists: of the newest builds of Windows 11, or of older ones.")
    ] = Fields.NEWEST,
    form: FormatOption = Format.TEXT,
    target: OutputOption = None,
) -> None:
    """Show what Windows itself brings: layers, conditions, errors."""
    from tamiz.cli import catalog_items

    try:
        found = catalog_items.items(what.value, name, fields.value)
    except catalog_items.NotFound as problem:
        raise typer.BadParameter(str(problem), param_hint="NAME") from problem
    document = {"what": what.value, "fields": fields.value, "items": found}
    output.emit(document, _table if name is None else _details, form, target)


def _table(console: Console, document: Document) -> None:
    from tamiz.cli.catalog_items import SECTIONS

    columns = SECTIONS[document["what"]].columns
    headings = [_heading(column) for column in columns]
    output.table(console, headings, ([_cell(item, c) for c in columns] for item in document["items"]))


def _heading(member: str) -> str:
    return {"friendly": "name", "hex": "code"}.get(member, member.replace("_", " "))


def _cell(item: Item, column: str) -> object:
    """A member as one cell: a long list as its length, a condition's uses summed up."""
    if column == "layers":
        return sum(len(use["layers"]) for use in item["usage"])
    if column == "types" and "usage" in item:
        return ", ".join(dict.fromkeys(use["type"].removeprefix("FWP_") for use in item["usage"]))
    value = item[column]
    if column == "types":
        return ", ".join(t.removeprefix("FWP_") for t in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return len(value) if isinstance(value, list) else value


def _details(console: Console, document: Document) -> None:
    for number, item in enumerate(document["items"]):
        if number:
            console.print()
        output.facts(console, ((_label(k), _plain(v)) for k, v in item.items() if not _is_rows(v)))
        for rows in filter(_is_rows, item.values()):
            console.print()
            output.table(console, [_label(k) for k in rows[0]], ([_plain(v) for v in r.values()] for r in rows))


def _label(member: str) -> str:
    return member.replace("_", " ")


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _plain(value: Any) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or None if isinstance(value, list) else value
