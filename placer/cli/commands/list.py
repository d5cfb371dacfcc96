"""``placer list``."""

from __future__ import annotations

import click

from placer.cli.common import json_option, print_json
from placer.instance.library import Kind

KINDS: dict[str, Kind] = {
    "devices": "device type",
    "models": "model",
    "radios": "radio",
    "links": "link",
    "runtimes": "runtime",
    "instances": "instance",
    "exits": "exit profile",
}


@click.command("list")
@click.argument("what", type=click.Choice(list(KINDS)))
@json_option
def command(what: str, as_json: bool) -> int:
    """List what placer ships of a kind; `exits` are profiles of networks with exits.

    `placer show NAME` shows one, `placer show NAME --yaml` prints its file to copy.
    """
    from placer.instance.library import find_shipped, shipped_names
    from placer.instance.reading import read_document

    rows = []
    for name in shipped_names(KINDS[what]):
        path = find_shipped(name, KINDS[what])
        assert path is not None
        rows.append({"name": name, "title": read_document(path).data.get("title")})
    if as_json:
        print_json(rows)
        return 0
    widest = max(len(row["name"]) for row in rows)
    for row in rows:
        click.echo(f"{row['name']:{widest}}  {row['title'] or ''}".rstrip())
    return 0
