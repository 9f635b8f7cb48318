"""`gencli corpora`: the corpora that come with gencli."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer


def corpora(
    as_json: Annotated[bool, typer.Option("--json", help="One object of JSON a line.")] = False,
) -> None:
    """List the corpora that come with gencli; train on one by its name."""
    from gencli.corpus import bundled

    found = bundled()
    if as_json:
        for corpus in found:
            record = {"name": corpus.name, "kind": corpus.kind, "documents": corpus.documents}
            record |= {"characters": corpus.size, "origin": corpus.origin, "path": str(corpus.path)}
            typer.echo(json.dumps(record, ensure_ascii=False))
        return
    from gencli.display import open_console
    from gencli.display_tables import corpora_table

    open_console(sys.stdout).draw(corpora_table(found))
