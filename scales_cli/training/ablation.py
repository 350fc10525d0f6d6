"""The method against its rivals: one body, the same pictures in the same order, a learning rate tuned for each."""

from __future__ import annotations

import json
import re
import signal
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from scales_cli.backbones.cost import count
from scales_cli.backbones.spec import NetworkSpec, Options
from scales_cli.backbones.table import SIZES
from scales_cli.errors import DivergedError, UsageError
from scales_cli.evaluation.datasets import Benchmark
from scales_cli.evaluation.scores import evaluate
from scales_cli.networks.build import build_network
from scales_cli.networks.cost import count_everything
from scales_cli.system.files import read_small_text, replacing
from scales_cli.training import checkpoint
from scales_cli.training.checkpoint import Checkpoint
from scales_cli.training.config import TrainConfig
from scales_cli.training.pictures import fingerprint
from scales_cli.training.run import TrainingData, load_run, start_run
from scales_cli.training.trainer import Status, Trainer

ABLATIONS = resources.files("scales_cli.training").joinpath("ablations")

Observe = Callable[[str, Status], None]
Guard = Callable[[Trainer], AbstractContextManager[list[int]]]


@dataclass(frozen=True)
class Row:
    """A line of the table: the body's layers."""

    name: str
    title: str
    layers: str
    conv_options: Options = field(default_factory=dict)
    linear_options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class Ablation:
    """What is compared, as a file in `ablations/` describes it. `base` is every row's run but for layers and rate."""

    base: TrainConfig
    learning_rates: tuple[float, ...]
    tuning_steps: int
    rows: tuple[Row, ...]

    @classmethod
    def load(cls, name: str = "srresnet") -> Ablation:
        """The package's of a name, or that of a TOML file; raises `UsageError` for what is none."""
        try:
            source = ABLATIONS.joinpath(f"{name}.toml")
            values = tomllib.loads(source.read_text("utf-8") if source.is_file() else read_small_text(name))
            rows = tuple(Row(**{"title": row["name"]} | row) for row in values.pop("rows"))
            rates, tuning_steps = tuple(map(float, values.pop("learning_rates"))), values.pop("tuning_steps")
            spec = NetworkSpec(scale=values.pop("scale"), **SIZES[values.pop("size")])
            base = TrainConfig.from_dict(values | {"network": spec.to_dict()})
            ablation = cls(base, rates, tuning_steps, rows)
            ablation._check()
        except FileNotFoundError as error:
            raise UsageError(f"{name}: no such file", "give one, or srresnet, rcan or swinir") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(
                f"{name}: not the description of an ablation ({error})", "see scales_cli/training/ablations/"
            ) from error
        except UsageError as error:
            raise error.about(name) from error
        return ablation

    def _check(self) -> None:
        """Raises `ValueError` or `UsageError` for what would else fail after hours, in the middle."""
        names = [row.name for row in self.rows]
        if not (names and self.learning_rates) or len(set(names)) < len(names):
            raise ValueError("it needs rows of different names, and learning_rates")
        for row in self.rows:
            if not re.fullmatch(r"[\w-][\w.-]*", row.name):
                raise ValueError(f"{row.name!r} cannot name a row's folder")
            configs = [self.config(row, rate, self.tuning_steps) for rate in self.learning_rates]
            build_network(configs[0].network)

    def choose(self, names: Sequence[str]) -> tuple[Row, ...]:
        """The rows of these names; all of them where none is given."""
        known = {row.name: row for row in self.rows}
        if unknown := [name for name in names if name not in known]:
            raise UsageError(f"unknown row {unknown[0]!r}", f"known are {', '.join(known)}")
        return tuple(known[name] for name in names) or self.rows

    def config(self, row: Row, learning_rate: float, steps: int) -> TrainConfig:
        spec = replace(
            self.base.network, layers=row.layers, conv_options=row.conv_options, linear_options=row.linear_options
        )
        return replace(self.base, network=spec, learning_rate=learning_rate, steps=steps)


@dataclass(frozen=True)
class Result:
    """A finished row. PSNR in dB on luma; `tuned` has the validation PSNR of each learning rate's short run, 0 where it
    diverged.
    """

    name: str
    tuned: dict[str, float]
    learning_rate: float
    steps: int
    seconds: float
    device: str
    valid_psnr: float
    psnr: dict[str, float]
    config: dict[str, Any]


def claim(out: Path, folders: Mapping[str, Path]) -> None:
    """Notes in `out` which pictures these names stand for, by their files' names and sizes.

    Raises `UsageError` if a name stood for others before.
    """
    path = out / "pictures.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    own = {name: fingerprint(folder) for name, folder in folders.items()}
    if others := [name for name, value in own.items() if known.get(name, value) != value]:
        raise UsageError(f"{out} holds rows of other pictures of {others[0]}", "give another -o")
    out.mkdir(parents=True, exist_ok=True)
    with replacing(path, overwrite=True) as stream:
        stream.write(json.dumps(known | own, indent=1).encode())


def run_row(
    ablation: Ablation,
    row: Row,
    data: TrainingData,
    benchmarks: Iterable[Benchmark],
    out: Path,
    observe: Observe,
    guard: Guard,
) -> Result:
    """Tunes, trains and scores a row in `out`/name; goes on where it was interrupted, and trains nothing twice.

    `guard` lets a trainer stop on signals and gives those that it received, which are raised again once there is a
    checkpoint. Raises `UsageError` where another description's runs are in the way.
    """
    train = partial(_train, data=data, observe=partial(observe, row.name), guard=guard)
    folder = out / row.name
    tuned = {}
    for rate in ablation.learning_rates:
        config = ablation.config(row, rate, ablation.tuning_steps)
        try:
            finished = train(config, folder / str(rate))
            tuned[str(rate)] = finished.progress.valid_psnr or 0.0
        except DivergedError:
            tuned[str(rate)] = 0.0
    best = max(tuned, key=lambda label: tuned[label])
    if not tuned[best]:
        raise DivergedError(f"row {row.name} diverges at every learning rate", "give lower ones")
    config = ablation.config(row, float(best), ablation.base.steps)
    finished = train(config, folder / "run")
    progress = finished.progress
    report = evaluate(load_run(folder / "run", config.network.scale), benchmarks)
    result = Result(
        name=row.name,
        tuned=tuned,
        learning_rate=config.learning_rate,
        steps=progress.step,
        seconds=progress.seconds,
        device=progress.device,
        valid_psnr=progress.valid_psnr or 0.0,
        psnr={item.name: item.mean.psnr for item in report.benchmarks},
        config=config.to_dict(),
    )
    with replacing(folder / "result.json", overwrite=True) as stream:
        stream.write(json.dumps(asdict(result), indent=1).encode())
    return result


def finished_result(ablation: Ablation, row: Row, out: Path, sets: Iterable[str] = ()) -> Result | None:
    """A row's earlier result, if it was made by this description and scored on these benchmarks."""
    try:
        result = Result(**json.loads((out / row.name / "result.json").read_text(encoding="utf-8")))
        config = TrainConfig.from_dict(result.config)
    except (OSError, ValueError, TypeError, UsageError):
        return None
    same = config == ablation.config(row, result.learning_rate, ablation.base.steps)
    return result if same and set(sets) <= set(result.psnr) else None


def table(ablation: Ablation, results: Mapping[str, Result]) -> str:
    """Markdown: a line for each row with a result, in the description's order, parameters and operations in front."""
    sets = list(dict.fromkeys(name for result in results.values() for name in result.psnr))
    header = ["network", "parameters", "with all", "operations", "with all", "rate", "valid", *sets, "seconds"]
    lines = [header, ["---"] * len(header)]
    for row in ablation.rows:
        if (result := results.get(row.name)) is None:
            continue
        network = build_network(ablation.config(row, result.learning_rate, result.steps).network)
        convolutions, everything = count(network.spec.parts()), count_everything(network)
        lines.append(
            [
                row.title,
                f"{convolutions.parameters / 1e3:.1f} K",
                f"{everything.parameters / 1e3:.1f} K",
                f"{convolutions.operations / 1e9:.3f} G",
                f"{everything.operations / 1e9:.3f} G",
                f"{result.learning_rate:g}",
                f"{result.valid_psnr:.3f}",
                *(f"{result.psnr[name]:.2f}" if name in result.psnr else "" for name in sets),
                f"{result.seconds:.0f}",
            ]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _train(
    config: TrainConfig, out: Path, *, data: TrainingData, observe: Callable[[Status], None], guard: Guard
) -> Checkpoint:
    path = checkpoint.latest(out)
    saved = None if path is None else Checkpoint.load(path)
    if saved is not None and saved.config != config:
        raise UsageError(f"{out} was trained by another description", "give another -o")
    if saved is None or saved.progress.step < config.steps:
        trainer = start_run(config, data, out)
        trainer.resume()
        with guard(trainer) as received:
            trainer.run(observe)
        if received:
            signal.raise_signal(received[0])
        saved = Checkpoint.load(out)
    return saved
