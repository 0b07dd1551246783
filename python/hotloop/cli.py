"""The `hotloop` command: train, predict, info."""

from __future__ import annotations

import argparse
import itertools
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .table.columns import numbers_of
from .table.target import ClassTarget

if TYPE_CHECKING:
    import pandas as pd

    from .models import Model
    from .table import TableModel

_DESCRIPTION = "Train dense neural networks at the speed of the machine."
_TRAIN = """Without a table: train a batch-normalised network on the embedded handwritten digits.
With one: learn to predict one column from the others. Numbers and categories are told apart, missing values are
filled in, and classification or regression is told from the target's values."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        `sys.argv[1:]` unless told.

    Examples
    --------
    >>> main(["info"])  # doctest: +ELLIPSIS
    hotloop ...
    0
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough; what is left must not fail again when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("hotloop: interrupted", file=sys.stderr)
        return 130
    except (OSError, ValueError, TypeError, ImportError, MemoryError, RuntimeError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"hotloop: {message}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    from . import __version__

    parser = argparse.ArgumentParser(prog="hotloop", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"hotloop {__version__}")
    commands = parser.add_subparsers(required=True, metavar="{train,predict,info}")

    train = commands.add_parser("train", help="train a network on digits or on your own table", description=_TRAIN)
    train.add_argument("table", nargs="?", metavar="TABLE.csv", help="a CSV file with column names in its first line")
    train.add_argument("--target", metavar="COLUMN", help="the column to predict (needed with a table)")
    train.add_argument("--task", choices=("auto", "classification", "regression"), default="auto")
    train.add_argument("--test-split", type=float, default=0.2, metavar="FRACTION", help="rows kept for the test (0.2)")
    train.add_argument("--epochs", type=int, default=60, help="at most (60)")
    train.add_argument("--seed", type=int, default=0, help="the same seed gives the same network (0)")
    train.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the model file, replaced if it is there (a new TABLE.safetensors or digits.safetensors)",
    )
    train.set_defaults(run=_train)

    predict = commands.add_parser("predict", help="predict the rows of a table with a trained network")
    predict.add_argument("model", metavar="MODEL", help="a file written by `hotloop train`")
    predict.add_argument("table", metavar="TABLE.csv")
    predict.add_argument("-o", "--output", metavar="OUT.csv", help="where to write (the terminal)")
    predict.set_defaults(run=_predict)

    info = commands.add_parser("info", help="version, kernels, threads, compilers")
    info.set_defaults(run=_info)
    return parser


# -- train -----------------------------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> None:
    if options.table is None:
        if options.target is not None:
            raise ValueError(
                "[train] expected a table next to --target. Write: hotloop train TABLE.csv --target COLUMN"
            )
        _train_digits(options)
    else:
        _train_table(options)


def _train_digits(options: argparse.Namespace) -> None:
    from . import recipes

    output = _output(options.output, "digits")
    print("Learning to read 1,438 of the embedded digits; 359 are kept for the test.")
    model, accuracy = recipes.train_digits(options.epochs, options.seed)
    print(f"Test accuracy: {accuracy:.4f}")
    model.save(output)
    _report(output, model)
    print(
        "\nLoad it in Python:\n"
        "    import hotloop as keras\n"
        f"    model = keras.models.load_model({str(output)!r})\n"
        "    model.predict(images)  # (n, 8, 8) pixels from 0 to 16 -> (n, 10) probabilities"
    )


def _train_table(options: argparse.Namespace) -> None:
    from .table import TableModel, split_rows
    from .table.spec import check_frame

    if options.target is None:
        raise ValueError("[train] expected --target COLUMN, the column to predict.")
    frame = _read_csv(options.table)
    check_frame(frame, options.target)
    output = _output(options.output, Path(options.table).stem)
    learn, test = split_rows(len(frame), options.test_split, options.seed)
    print(f"Learning '{options.target}' from {len(learn)} rows; {len(test)} are kept for the test.")
    model = TableModel.train(
        frame.iloc[learn], options.target, task=options.task, epochs=options.epochs, seed=options.seed
    )
    _report_columns(model, frame)
    if len(test):
        scores = model.evaluate(frame.iloc[test])
        print("Test " + ", ".join(f"{name}: {value:.6g}" for name, value in scores.items()))
    model.save(output)
    _report(output, model.network)
    print(
        "\nUse it:\n"
        f"    hotloop predict {output} {options.table}\n"
        "or in Python:\n"
        "    from hotloop.table import TableModel\n"
        f"    TableModel.load({str(output)!r}).predict(pandas.read_csv({options.table!r}))"
    )


def _report_columns(model: TableModel, frame: pd.DataFrame) -> None:
    spec = model.spec
    task = "classification" if isinstance(spec.target, ClassTarget) else "regression"
    used = {column.name for column in spec.columns} | {spec.target.name}
    unused = [name for name in frame.columns if name not in used]
    print(f"A {task} of {len(spec.columns)} columns, {spec.width} features.")
    if unused:
        print(f"Columns left out, constant or different in every row: {', '.join(unused)}")


def _report(output: Path, model: Model) -> None:
    """Say where the model file is, and draw the learning curve beside it."""
    from .recipes import draw_learning_curve

    print(f"Model: {output}")
    picture = output.with_suffix(".png")
    try:
        draw_learning_curve(model.history.history, picture)
    except ImportError:
        print("Learning curve: not drawn, matplotlib is missing (pip install 'hotloop[plot]')")
    else:
        print(f"Learning curve: {picture}")


def _output(asked: str | None, stem: str) -> Path:
    """The path asked for, or one from `stem` that overwrites nothing; refused before the training, not after it."""
    if asked is None:
        names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
        paths = (Path(f"{name}.safetensors") for name in names)
        return next(path for path in paths if not path.exists() and not path.with_suffix(".png").exists())
    path = Path(asked)
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(f"[output] expected the folder '{path.parent}' to exist.")
    if path.suffix != ".safetensors":
        raise ValueError(f"[output] expected a file name that ends in .safetensors, received '{path}'.")
    return path


def _read_csv(path: str) -> pd.DataFrame:
    try:
        import pandas
    except ImportError:
        raise ImportError(
            "[table] expected pandas, which reads tables. Install it: pip install 'hotloop[table]'"
        ) from None
    return pandas.read_csv(path)


# -- predict ---------------------------------------------------------------------------------------------------------


def _predict(options: argparse.Namespace) -> None:
    from .saving import inspect

    if options.output is not None:
        for what, path in (("the table", options.table), ("the model", options.model)):
            if os.path.exists(options.output) and os.path.exists(path) and os.path.samefile(options.output, path):
                raise ValueError(
                    f"[predict] expected another file than {what} for the output, received '{options.output}'. "
                    "Write -o OUT.csv with a new name."
                )
    frame = _read_csv(options.table)
    import pandas  # after the check that says how to install it

    if inspect(options.model)["model"].get("table") is None:
        found = _predict_numbers(options.model, frame)
    else:
        found = _predict_table(options.model, frame)
    table = pandas.DataFrame(found, index=frame.index)
    table.to_csv(options.output or sys.stdout, index=False)


def _predict_table(model_file: str, frame: pd.DataFrame) -> dict[str, Any]:
    from .table import TableModel

    model = TableModel.load(model_file)
    for name, labels in model.spec.unknown(frame).items():
        print(
            f"hotloop: column '{name}' has categories that the network does not know in {len(labels)} of {len(frame)} "
            f"rows, {labels[0]!r} first; they are read as missing",
            file=sys.stderr,
        )
    target = model.spec.target
    found: dict[str, Any] = {target.name: model.predict(frame)}
    if isinstance(target, ClassTarget):
        probabilities = model.predict_proba(frame)
        found.update({f"probability {label}": probabilities[:, i] for i, label in enumerate(target.classes)})
    return found


def _predict_numbers(model_file: str, frame: pd.DataFrame) -> dict[str, Any]:
    """A network without a table's description reads the columns in their order, and gives its outputs."""
    from .models import load_model

    model = load_model(model_file)
    width = math.prod(model.input_shape[1:])
    if frame.shape[1] != width:
        raise ValueError(
            f"[predict '{model_file}'] expected {width} columns of numbers (inputs of shape {model.input_shape[1:]}), "
            f"received {frame.shape[1]}."
        )
    x = np.stack([numbers_of(frame[name], "column") for name in frame.columns], axis=1)
    outputs = model.predict(x.reshape(len(x), *model.input_shape[1:]), verbose=0)
    flat = outputs.reshape(len(x), -1)
    return {f"output {i}": flat[:, i] for i in range(flat.shape[1])}


# -- info ------------------------------------------------------------------------------------------------------------


def _info(options: argparse.Namespace) -> None:
    from . import __version__, _core
    from .datasets.cache import folder

    rows = _core.rows()
    lines = {
        "kernels available": ", ".join(rows),
        "kernels chosen": f"{_core.row('float32')} (float32), {_core.row('float64')} (float64)",
        "devices": ", ".join(_core.devices()),
        "threads": _core.threads(),
        **_core.build_info(),
        "data sets": folder(),
    }
    for name, value in {"hotloop": __version__, **lines}.items():
        if name != "version":
            print(f"{name:<18} {value}")
