"""What `scales models` shows to people, within 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scales_cli.cli.console import describe_seconds, print_text, print_wrapped, printable
from scales_cli.weights.catalogue import CatalogueItem

# What the card repeats of the model itself.
_SHOWN_ABOVE = ("licence", "psnr", "steps", "seconds", "device", "training", "valid_psnr")


def print_models(items: Sequence[CatalogueItem]) -> None:
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
            Text(printable(item.licence)),
            item.where,
        )
    console = Console(highlight=False)
    console.print(table)
    licences = list(dict.fromkeys(item.data_licence for item in items))
    for licence in licences:
        names = [item.name for item in items if item.data_licence == licence]
        of = "" if len(licences) == 1 else f" of {', '.join(names)}"
        console.print(Text(f"Licence of the training data{of}: {licence}"), style="dim")


def print_model(item: CatalogueItem) -> None:
    """All that is known of a model, a fact a line."""
    print_text(printable(item.name))
    for name, text in facts(item):
        print_wrapped(f"  {name:<12} {text}", 15)


def facts(item: CatalogueItem) -> Iterator[tuple[str, str]]:
    """Names and values with their units, the card's last."""
    if (spec := item.spec) is not None:
        yield "scale", f"{spec.scale}"
        yield "network", f"{spec.backbone}, {spec.n_blocks} blocks of {spec.n_feats} channels, {spec.layers} layers"
    yield "size", f"{item.size / 1024:.1f} KiB"
    yield "file", f"{item.where}, {item.path or 'not on this machine'}"
    if item.parameters is not None and item.operations is not None:
        yield "parameters", f"{item.parameters / 1e3:.1f} K"
        yield "operations", f"{item.operations / 1e9:.2f} G for 320 x 180 input pixels"
    if item.auto_from is not None:
        yield (
            "auto",
            f"takes it from strength {100 * item.auto_from:.0f} on"
            if item.auto_from
            else "takes it for clean pictures",
        )
    if item.psnr:
        yield "PSNR", ", ".join(f"{name} {value:.2f} dB" for name, value in item.psnr.items())
    yield "licence", f"{item.licence}; of the training data: {item.data_licence}"
    yield "SHA-256", item.sha256
    card = item.card()
    if isinstance(card.get("seconds"), int | float):
        yield "trained", f"{card.get('steps')} steps in {describe_seconds(card['seconds'])} on {card.get('device')}"
    if isinstance(settings := card.get("training"), dict):
        yield "settings", describe({name: value for name, value in settings.items() if name != "network"})
    if isinstance(validation := card.get("valid_psnr"), int | float):
        yield "validation", f"{validation:.2f} dB"
    for name, value in card.items():
        if name not in _SHOWN_ABOVE and (described := describe(value)):
            yield name.replace("_", " "), described


def describe(value: Any) -> str:
    """A value of a card in words: lists and objects without brackets."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {describe(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "; ".join(map(describe, value))
    return f"{value}"
