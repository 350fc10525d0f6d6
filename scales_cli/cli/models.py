"""`scales models`: where weights come from, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import scales_cli.cli.options as opt

if TYPE_CHECKING:
    from scales_cli.evaluation.catalogue import CatalogueItem
    from scales_cli.weights.registry import WeightEntry
    from scales_cli.weights.store import Store

app = typer.Typer(help="List, download, check and add models.", no_args_is_help=True)

NameArg = Annotated[str, typer.Argument(metavar="NAME", help="A model (scales-tiny-x4) or a size (tiny).")]
NamesArg = Annotated[list[str], typer.Argument(metavar="NAME", help="Models (scales-tiny-x4) or sizes (tiny).")]
OptionalScaleOpt = Annotated[
    int | None,
    typer.Option("-s", "--scale", parser=opt.parse_scale, metavar="2|3|4", help="Only this scale.", show_default="all"),
]


@app.command("list")
def list_models(
    scale: OptionalScaleOpt = None,
    cached: Annotated[bool, typer.Option("--cached", help="Only what is in the cache.")] = False,
    as_json: opt.Json = False,
) -> None:
    """List all models: size, parameters, operations, quality, licence, and where they are."""
    from scales_cli.cli.console import print_json
    from scales_cli.evaluation.catalogue import catalogue
    from scales_cli.weights.store import Store

    items = [
        item
        for item in catalogue(Store())
        if (scale is None or (item.spec is not None and item.spec.scale == scale)) and (not cached or item.is_cached)
    ]
    if not as_json:
        print_models(items)
        return
    for item in items:
        print_json(item.to_dict())


@app.command()
def show(name: NameArg, scale: OptionalScaleOpt = None, as_json: opt.Json = False) -> None:
    """Print all that is known of a model, its card included: how it was trained, and how it scores."""
    import json

    from scales_cli.cli.console import print_json, printable
    from scales_cli.evaluation.catalogue import describe
    from scales_cli.weights.store import Store

    for item in describe(Store(), name, scale):
        values = item.to_dict() | {"card": item.card()}
        if as_json:
            print_json(values)
        else:
            for key, value in values.items():
                text = value if isinstance(value, str) else json.dumps(value, indent=2 if key == "card" else None)
                typer.echo("\n".join(printable(line) for line in f"{key:<13} {text}".split("\n")))


@app.command()
def pull(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME|ADDRESS", help="Published models, or URL#sha256=..., or hf:OWNER/REPO@REVISION/FILE."
        ),
    ],
    scale: OptionalScaleOpt = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Take a published model from this file.")
    ] = None,
    quiet: opt.Quiet = False,
    offline: opt.Offline = False,
) -> None:
    """Download models into the cache, or check that they are there."""
    from scales_cli.cli.console import print_path, progress_bar
    from scales_cli.errors import UsageError
    from scales_cli.weights.address import parse_address
    from scales_cli.weights.store import Store

    store = Store()
    addresses = [parse_address(target) for target in targets]
    if source is not None and (len(targets) > 1 or addresses[0]):
        raise UsageError("--from takes one published model's name", "`scales models import` adds other files")
    for target, address in zip(targets, addresses, strict=True):
        if address is not None:
            with progress_bar(f"downloading {address.name}", quiet=quiet) as progress:
                print_path(str(store.pull_address(address, progress)))
            continue
        entries = published(store, target, scale)
        if source is not None and len(entries) > 1:
            raise UsageError(f"--from holds one model of several called {target}", "add -s, or give a full name")
        for entry in entries:
            with progress_bar(f"downloading {entry.name}", quiet=quiet) as progress:
                path = store.obtain(entry, progress) if source is None else store.pull(entry, source, progress)
            if not quiet:
                print_path(str(path))


@app.command()
def path(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A model, or none for the cache.")] = None,
    scale: OptionalScaleOpt = None,
) -> None:
    """Print where a model's file is, or the folder of the cache."""
    from scales_cli.cli.console import print_path
    from scales_cli.errors import WeightsError
    from scales_cli.evaluation.catalogue import describe
    from scales_cli.weights.store import Store

    store = Store()
    if name is None:
        print_path(str(store.cache.folder))
        return
    for item in describe(store, name, scale):
        if item.path is None:
            raise WeightsError(f"model {item.name} is not on this machine", f"`scales models pull {item.name}`")
        print_path(str(item.path))


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", show_default="all")] = None,
    quiet: opt.Quiet = False,
) -> None:
    """Check the files of models: their hashes, and that they hold what a network needs."""
    from scales_cli.cli.console import printable
    from scales_cli.errors import WeightsError
    from scales_cli.weights.store import Store

    store = Store()
    wanted = {full for name in names or () for full in store.names(name)}
    damaged = []
    for name, path, error in store.verify():
        if names and name not in wanted:
            continue
        if error is not None:
            damaged.append(name)
        if not quiet:
            typer.echo(printable(f"{name}: {'good' if error is None else 'damaged'}: {path}"))
    if damaged:
        raise WeightsError(
            f"damaged: {', '.join(damaged)}", "`scales models prune`, then pull, or install scales-cli again"
        )


@app.command()
def remove(names: NamesArg) -> None:
    """Remove models from the cache."""
    from scales_cli.errors import WeightsError
    from scales_cli.weights.store import Store

    store = Store()
    for name in names:
        if not sum(store.cache.remove(full) for full in store.names(name)):
            raise WeightsError(f"there is no {name} in the cache", "`scales models list --cached` names what is")


@app.command()
def prune(quiet: opt.Quiet = False) -> None:
    """Remove from the cache what is of no use: left-overs, damaged files, earlier versions."""
    from scales_cli.cli.console import print_path
    from scales_cli.weights.store import Store

    for removed in Store().prune():
        if not quiet:
            print_path(str(removed))


@app.command()
def default(name: Annotated[str | None, typer.Argument(metavar="NAME", show_default=False)] = None) -> None:
    """Print the model that is used where none is named, or set it."""
    from scales_cli.weights.preferences import default_model, set_default_model
    from scales_cli.weights.store import Store

    if name is not None:
        Store().names(name)
        set_default_model(name)
    typer.echo(default_model())


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A packed .safetensors file.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What it is to be called.")],
) -> None:
    """Copy a model of your own into the cache, to be used by name."""
    from scales_cli.cli.console import print_path
    from scales_cli.weights.store import Store

    print_path(str(Store().import_file(file, name)))


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write, and to upload then.")],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Packed models to add, named scales-SIZE-xN.")
    ] = None,
    data_licence: Annotated[
        str, typer.Option(metavar="TEXT", help="Licence of what FILEs were trained on.")
    ] = "unknown",
) -> None:
    """Write the folder that serves all published models, and their registry.

    For maintainers: upload DIR, or point SCALES_MIRROR to it; DIR/registry.toml takes the place of the package's.
    """
    from scales_cli.cli.console import print_path
    from scales_cli.weights.publishing import publish as write
    from scales_cli.weights.store import Store

    for entry in write(Store(), folder, files or (), data_licence):
        print_path(str(folder / entry.file))
    print_path(str(folder / "registry.toml"))


def published(store: Store, name: str, scale: int | None) -> list[WeightEntry]:
    """At least one; raises `WeightsError` otherwise."""
    from scales_cli.errors import WeightsError

    if found := store.published(name, scale):
        return found
    store.find(name, scale)
    raise WeightsError(f"{name} was imported, and is published nowhere", "`scales models list` names what is")


def print_models(items: Sequence[CatalogueItem]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("model", "size", "param.", "operations", "Set5", "licence", "where"):
        right = column in ("size", "param.", "operations", "Set5")
        table.add_column(column, justify="right" if right else "left", no_wrap=column != "licence")
    for item in items:
        table.add_row(
            Text(item.name),
            f"{item.size / 1024:.0f} KiB",
            "" if item.parameters is None else f"{item.parameters / 1e3:.1f} K",
            "" if item.operations is None else f"{item.operations / 1e9:.2f} G",
            f"{item.psnr['Set5']:.2f}" if "Set5" in item.psnr else "",
            Text(item.licence),
            item.where,
        )
    console = Console(highlight=False)
    console.print(table)
    for licence in dict.fromkeys(item.data_licence for item in items):
        names = ", ".join(item.name for item in items if item.data_licence == licence)
        console.print(Text(f"Licence of the training data of {names}: {licence}"), style="dim")
