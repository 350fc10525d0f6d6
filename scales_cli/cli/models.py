"""`scales models`: where weights come from, and what is known of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import scales_cli.cli.options as opt
from scales_cli.cli.command import Command, Group
from scales_cli.cli.values import parse_scale

if TYPE_CHECKING:
    from scales_cli.weights.registry import WeightEntry
    from scales_cli.weights.store import Store

app = typer.Typer(cls=Group, help="List, download, check and add models.", no_args_is_help=True)


def named(help: str) -> Any:
    """An argument that takes models' names."""
    return typer.Argument(metavar="NAME", autocompletion=opt.suggest_models, show_default=False, help=help)


Name = Annotated[str, named("A model (scales-tiny-x4) or a size (tiny).")]
OneScale = Annotated[
    int | None,
    typer.Option(
        "-s",
        "--scale",
        parser=parse_scale,
        metavar="2|3|4",
        autocompletion=opt.suggesting("2", "3", "4"),
        rich_help_panel=opt.SIZE,
        help="Only this scale. Default: all.",
    ),
]


@app.command("list", cls=Command)
def list_models(
    scale: OneScale = None,
    cached: Annotated[bool, opt.flag("--cached", panel=opt.SIZE, help="Only what is in the cache.")] = False,
    as_json: opt.Json = False,
) -> None:
    """List all models: size, operations, quality, licence, place.

    $ scales models list              # for people
    $ scales models list -s 2 --json  # a line of JSON for each
    """
    from scales_cli.cli.console import print_json
    from scales_cli.weights.catalogue import catalogue
    from scales_cli.weights.store import Store

    items = [
        item
        for item in catalogue(Store())
        if (scale is None or (item.spec is not None and item.spec.scale == scale)) and (not cached or item.is_cached)
    ]
    if not as_json:
        from scales_cli.cli.models_view import print_models

        print_models(items)
        return
    for item in items:
        print_json(item.to_dict())


@app.command(cls=Command)
def show(name: Name, scale: OneScale = None, as_json: opt.Json = False) -> None:
    """Print all that is known of a model: how it was made and scores.

    $ scales models show tiny -s 4
    $ scales models show scales-tiny-x4 --json
    """
    from scales_cli.cli.console import print_json
    from scales_cli.weights.catalogue import describe
    from scales_cli.weights.store import Store

    for item in describe(Store(), name, scale):
        if as_json:
            print_json(item.to_dict() | {"card": item.card()})
        else:
            from scales_cli.cli.models_view import print_model

            print_model(item)


@app.command(cls=Command)
def pull(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME|ADDRESS", help="Published models, or URL#sha256=..., or hf:OWNER/REPO@REVISION/FILE."
        ),
    ],
    scale: OneScale = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", rich_help_panel=opt.SIZE, help="Take a published model from this file."),
    ] = None,
    quiet: opt.Quiet = False,
    offline: opt.Offline = False,
) -> None:
    """Download models into the cache, or check that they are there.

    $ scales models pull base
    $ scales models pull hf:owner/repository@revision/mine.safetensors
    """
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
                pulled = store.pull_address(address, progress)
            if not quiet:
                print_path(str(pulled))
            continue
        entries = published(store, target, scale)
        if source is not None and len(entries) > 1:
            raise UsageError(f"--from holds one model of several called {target}", "add -s, or give a full name")
        for entry in entries:
            with progress_bar(f"downloading {entry.name}", quiet=quiet) as progress:
                path = store.obtain(entry, progress) if source is None else store.pull(entry, source, progress)
            if not quiet:
                print_path(str(path))


@app.command(cls=Command)
def path(
    name: Annotated[str | None, named("A model, or none for the cache.")] = None,
    scale: OneScale = None,
) -> None:
    """Print where a model's file is, or the folder of the cache.

    $ scales models path base -s 4
    $ scales models path            # the cache
    """
    from scales_cli.cli.console import print_path
    from scales_cli.errors import WeightsError
    from scales_cli.weights.catalogue import describe
    from scales_cli.weights.store import Store

    store = Store()
    if name is None:
        print_path(str(store.cache.folder))
        return
    for item in describe(store, name, scale):
        if item.path is None:
            raise WeightsError(f"model {item.name} is not on this machine", f"`scales models pull {item.name}`")
        print_path(str(item.path))


@app.command(cls=Command)
def verify(
    names: Annotated[list[str] | None, named("Models or sizes. Default: all.")] = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Check the files of models: their hashes and what they hold.

    $ scales models verify                 # all
    $ scales models verify scales-tiny-x4
    """
    from scales_cli.cli.console import print_json, printable
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
        state = "good" if error is None else "damaged"
        if as_json:
            print_json({"name": name, "state": state, "path": str(path)})
        elif not quiet:
            typer.echo(printable(f"{name}: {state}: {path}"))
    if damaged:
        raise WeightsError(
            f"damaged: {', '.join(damaged)}", "`scales models prune`, then pull, or install scales-cli again"
        )


@app.command(cls=Command)
def remove(names: Annotated[list[str], named("Models (scales-tiny-x4) or sizes (tiny).")]) -> None:
    """Remove models from the cache.

    $ scales models remove mine
    $ scales models remove scales-base-x2 scales-base-x3
    """
    from scales_cli.errors import WeightsError
    from scales_cli.weights.store import Store

    store = Store()
    for name in names:
        if not store.remove(name):
            raise WeightsError(f"there is no {name} in the cache", "`scales models list --cached` names what is")


@app.command(cls=Command)
def prune(quiet: opt.Quiet = False) -> None:
    """Remove left-overs, damaged and earlier files from the cache.

    $ scales models prune     # prints what it removed
    $ scales models prune -q
    """
    from scales_cli.cli.console import print_path
    from scales_cli.weights.store import Store

    for removed in Store().prune():
        if not quiet:
            print_path(str(removed))


@app.command(cls=Command)
def default(name: Annotated[str | None, named("A model or a size to set.")] = None) -> None:
    """Print the model that is used if none is named, or set it.

    $ scales models default       # prints it
    $ scales models default tiny  # sets it
    """
    from scales_cli.weights.preferences import default_model, set_default_model
    from scales_cli.weights.store import Store

    if name is not None:
        Store().names(name)
        set_default_model(name)
    typer.echo(default_model())


@app.command("import", cls=Command)
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A packed .safetensors file.")],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", rich_help_panel=opt.OUTPUT, help="What it is to be called.")
    ],
) -> None:
    """Copy a model of your own into the cache, to use it by name.

    $ scales models import run/model.safetensors --name mine
    $ scales models import mine.safetensors --name mine       # then: -m mine
    """
    from scales_cli.cli.console import print_path
    from scales_cli.weights.store import Store

    print_path(str(Store().import_file(file, name)))


@app.command(cls=Command)
def publish(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write, and to upload then.")],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Packed models to add, named scales-SIZE-xN.")
    ] = None,
    data_licence: Annotated[
        str,
        typer.Option(metavar="TEXT", rich_help_panel=opt.OUTPUT, help="Licence of what FILEs were trained on."),
    ] = "unknown",
) -> None:
    """Write the folder that serves all published models.

    For maintainers: upload DIR, or point SCALES_MIRROR to it; DIR/registry.toml
    takes the place of the package's.

    $ scales models publish site/
    $ scales models publish site/ scales-mine-x2.safetensors --data-licence CC0
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
