"""A catalogue of trained models on this machine, in folders as the Hugging Face hub has them.

Each revision of a model is a folder ``$HOTLOOP_HOME/catalog/NAME/REVISION`` with ``README.md`` (the model card),
``config.json`` and ``model.safetensors``. ``huggingface_hub.upload_folder`` takes it as it is.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import math
import os
import re
import shutil
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import signature as signatures
from .home import home
from .identifiers import suggestion

__all__ = ["Entry", "delete", "get", "list", "load", "pull", "push", "save"]

FILES = ("README.md", "config.json", "model.safetensors")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")
_WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_MOST_BYTES = 4 << 20  # of a config.json


@dataclass(frozen=True)
class Entry:
    """A revision of a model in the catalogue.

    Attributes
    ----------
    name : str
    revision : int
        Counted from 1.
    description : str
    metrics : dict of str to float
    created : str
        UTC, ISO 8601; "" if the file does not say.
    signature : dict or None
        What its data looks like: see `save`.
    path : Path
        The folder.
    """

    name: str
    revision: int
    description: str
    metrics: Mapping[str, float]
    created: str
    signature: Mapping[str, Any] | None
    path: Path


def save(
    model: Any,
    name: str,
    description: str = "",
    data: Any = None,
    metrics: Mapping[str, float] | None = None,
    *,
    class_names: Sequence[str] | None = None,
    dataset: str = "unknown",
    tags: Sequence[str] = (),
    license: str | None = None,
) -> Entry:
    """Put a model into the catalogue, as the next revision of its name.

    Parameters
    ----------
    model : Model
        Built.
    name : str
        Letters, digits, ``.``, ``_`` and ``-``; at most 96.
    description : str
        For the model card: Markdown.
    data : array_like or tuple (x, y), optional
        Some of the data it was trained on. Shapes, dtypes, ranges and classes are kept, the data is not.
    metrics : dict of str to float, optional
        What `evaluate` gives with ``return_dict=True``.
    class_names : sequence of str, optional
        Of the classes 0, 1, ...
    dataset : str
        What the metrics were measured on, for the card.
    tags : sequence of str
    license : str, optional
        Its identifier on the hub: ``"apache-2.0"``.

    Returns
    -------
    Entry

    Raises
    ------
    ValueError
        If the name is no name, the model is not built, or data and class names do not fit.
    TypeError
        For a metric that is no number, metrics without names, class names that are no sequence of strings.

    Notes
    -----
    The folder appears with its last byte written, or not at all. Mitchell et al., "Model Cards for Model Reporting",
    FAT* 2019.

    Examples
    --------
    >>> import numpy as np, hotloop as keras
    >>> from hotloop import catalog
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> entry = catalog.save(model, "doctest-model", "Adds.", data=np.ones((4, 2)), metrics={"mae": 0.25})
    >>> catalog.load("doctest-model", data=np.ones((8, 2))).output_shape
    (None, 1)
    >>> catalog.delete("doctest-model")
    """
    from .saving import save_model

    _check_name(name)
    signature = None if data is None and class_names is None else signatures.describe(data, class_names)
    if not isinstance(metrics, (Mapping, type(None))):
        raise TypeError(
            f"[catalog.save] expected metrics by their names, received {metrics!r}. "
            "Call evaluate with return_dict=True."
        )
    scores = {str(key): _number(key, value) for key, value in (metrics or {}).items()}
    config = {
        "library_name": "hotloop", "name": name, "description": str(description), "metrics": scores,
        "dataset": str(dataset), "tags": [str(tag) for tag in tags], "license": license, "signature": signature,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }  # fmt: skip
    if class_names is not None:
        config["id2label"] = {str(i): str(label) for i, label in enumerate(class_names)}
    with _new_revision(name) as folder:
        save_model(model, folder / "model.safetensors")
        _write(folder / "config.json", json.dumps(config, indent=2, ensure_ascii=False) + "\n")
        _write(folder / "README.md", _card(config, model))
    return get(name)


def list() -> builtins.list[Entry]:
    """The latest revision of every model, by name; damaged ones are left out with a warning.

    Returns
    -------
    list of Entry
    """
    from .saving import FormatError

    entries = []
    for name in _names():
        try:
            entries.append(get(name))
        except FormatError as error:
            warnings.warn(f"{error} It is left out of the list.", stacklevel=2)
    return entries


def load(
    name: str,
    revision: int | None = None,
    data: Any = None,
    *,
    custom_objects: Mapping[str, type] | None = None,
    compile: bool = True,
) -> Any:
    """A model of the catalogue.

    Parameters
    ----------
    name : str
    revision : int, optional
        The latest unless told.
    data : array_like or tuple (x, y), optional
        Data that it is wanted for, which is compared with what it was saved for; numbers beyond the range seen then
        bring a warning.
    custom_objects, compile
        As of `models.load_model`.

    Returns
    -------
    Model

    Raises
    ------
    KeyError
        If there is no such model or revision.
    ValueError
        If the data is of other shapes, kinds or classes.
    FormatError
        If a file is damaged.
    """
    from .saving import load_model

    entry = get(name, revision)
    if data is not None and entry.signature is not None:
        signatures.check(entry.signature, data, f"catalog.load '{name}'")
    return load_model(entry.path / "model.safetensors", custom_objects=custom_objects, compile=compile)


def get(name: str, revision: int | None = None) -> Entry:
    """The entry of a model: the latest revision unless told.

    Raises
    ------
    KeyError
        If there is none.
    """
    _check_name(name)
    found = _revisions(name)
    if not found:
        known = _names()
        raise KeyError(
            f"[catalog] expected one of {', '.join(known) or 'no models yet'}, received {name!r}."
            f"{suggestion(name, known)}"
        )
    if revision is not None and not _is_among(revision, found):
        raise KeyError(
            f"[catalog '{name}'] expected one of the revisions {', '.join(map(str, found))}, received {revision!r}."
        )
    return _entry(name, found[-1] if revision is None else int(revision))


def delete(name: str, revision: int | None = None) -> None:
    """Remove a model from the catalogue: all revisions unless told which.

    Raises
    ------
    KeyError
        If there is no such model or revision.
    """
    _check_name(name)
    revisions, folder = _revisions(name), _root() / name
    if not revisions or (revision is not None and not _is_among(revision, revisions)):
        get(name, revision)  # says what there is
    doomed = folder if revision is None or len(revisions) == 1 else folder / str(int(revision))
    out_of_sight = _root() / f".deleted-{uuid.uuid4().hex}"
    os.replace(doomed, out_of_sight)
    shutil.rmtree(out_of_sight)


def push(name: str, repo_id: str, revision: int | None = None, *, private: bool | None = None, **options: Any) -> Any:
    """Upload a model to the Hugging Face hub (``pip install 'hotloop[hub]'``).

    Parameters
    ----------
    name : str
    repo_id : str
        ``"user/name"``; made if it is not there.
    revision : int, optional
        Of the catalogue; the latest unless told.
    private : bool, optional
        Whether a repository that is made is private.
    **options
        Of ``huggingface_hub.upload_folder``.

    Returns
    -------
    What ``huggingface_hub.upload_folder`` does.
    """
    entry = get(name, revision)
    hub = _hub("push")
    hub.create_repo(repo_id, private=private, exist_ok=True)
    options = {"commit_message": f"{name}, revision {entry.revision}", **options}
    return hub.upload_folder(repo_id=repo_id, folder_path=str(entry.path), allow_patterns=[*FILES], **options)


def pull(repo_id: str, name: str | None = None, revision: str | None = None, **options: Any) -> Entry:
    """Download a model from the Hugging Face hub into the catalogue, as the next revision of its name.

    Parameters
    ----------
    repo_id : str
        ``"user/name"``.
    name : str, optional
        The last part of `repo_id` unless told.
    revision : str, optional
        Of the hub: a branch, a tag or a commit.
    **options
        Of ``huggingface_hub.snapshot_download``.

    Returns
    -------
    Entry

    Raises
    ------
    FormatError
        If it holds no model of hotloop.
    """
    from .saving import FormatError, inspect

    name = repo_id.rsplit("/", 1)[-1] if name is None else name
    _check_name(name)
    hub = _hub("pull")
    with _new_revision(name) as folder:
        copy = folder / ".download"
        hub.snapshot_download(
            repo_id=repo_id, revision=revision, local_dir=str(copy), allow_patterns=[*FILES], **options
        )
        for file in FILES:
            if (copy / file).is_file() and not (copy / file).is_symlink():
                os.replace(copy / file, folder / file)
        shutil.rmtree(copy)
        if not (folder / "model.safetensors").is_file():
            raise FormatError(f"[catalog.pull] expected model.safetensors in '{repo_id}', received none.")
        inspect(folder / "model.safetensors")
        _read_config(folder)
    return get(name)


# Folders.


def _root() -> Path:
    return home() / "catalog"


def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and ".." not in name and "--" not in name and not _WINDOWS.fullmatch(name)


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"[catalog] expected the name of a model as a string, received {name!r}.")
    if not _is_name(name):
        raise ValueError(
            "[catalog] expected a name of at most 96 letters, digits, '.', '_' and '-' that begins and ends with a "
            f"letter or digit and has no '..' or '--', received {name[:120]!r}."
        )


def _revisions(name: str) -> builtins.list[int]:
    folder = _root() / name
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if re.fullmatch(r"[1-9]\d{0,8}", path.name))


def _is_among(revision: Any, revisions: builtins.list[int]) -> bool:
    return not isinstance(revision, bool) and revision in revisions


def _names() -> builtins.list[str]:
    root = _root()
    found = [path.name for path in root.iterdir()] if root.is_dir() else []
    return sorted(name for name in found if _is_name(name) and _revisions(name))


def _entry(name: str, revision: int) -> Entry:
    from .saving import FormatError

    folder = _root() / name / str(revision)
    if not (folder / "model.safetensors").is_file():
        raise FormatError(
            f"[catalog '{name}'] expected model.safetensors in '{folder}', received none. Remove what is left of it: "
            f"catalog.delete({name!r}, {revision})."
        )
    config = _read_config(folder)
    metrics = {key: math.nan if value is None else value for key, value in config.get("metrics", {}).items()}
    return Entry(
        name, revision, config.get("description", ""), metrics, config.get("created", ""),
        config.get("signature"), folder,
    )  # fmt: skip


def _read_config(folder: Path) -> dict[str, Any]:
    """Of a folder; what is not as `save` writes it is refused."""
    from .saving import FormatError

    file = folder / "config.json"
    if not file.is_file():
        return {}
    config: Any = None
    try:
        with open(file, "rb") as stream:
            text = stream.read(_MOST_BYTES + 1)
        config = json.loads(text.decode()) if len(text) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        pass
    good = (
        isinstance(config, dict)
        and all(isinstance(config.get(key, ""), str) for key in ("description", "created"))
        and isinstance(metrics := config.get("metrics", {}), dict)
        and all(isinstance(value, (int, float, type(None))) for value in metrics.values())
        and (config.get("signature") is None or signatures.checked(config["signature"]))
    )
    if not good:
        raise FormatError(f"[catalog] expected '{file}' as catalog.save writes it, received something else.")
    return config


@contextlib.contextmanager
def _new_revision(name: str) -> Iterator[Path]:
    """An empty folder to write into, which becomes the next revision when the block ends well."""
    from .saving.atomic import sync_directory

    parent = _root() / name
    parent.mkdir(parents=True, exist_ok=True)
    scratch = parent / f".new-{uuid.uuid4().hex}"
    scratch.mkdir()
    try:
        yield scratch
        sync_directory(scratch)
        while True:  # another process may take the number
            target = parent / str(max(_revisions(name), default=0) + 1)
            try:
                scratch.rename(target)
                break
            except OSError:
                if not target.exists():
                    raise
        sync_directory(parent)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):  # it holds other revisions
            parent.rmdir()
        raise


def _write(path: Path, text: str) -> None:
    from .saving.atomic import atomic_path

    with atomic_path(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def _number(name: Any, value: Any) -> float | None:
    """As JSON has it, which knows no NaN."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"[catalog.save] expected metric '{name}' to be a number, received {value!r}.") from None
    return number if math.isfinite(number) else None


def _hub(what: str) -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise ImportError(f"[catalog.{what}] needs huggingface_hub: pip install 'hotloop[hub]'.") from None
    return huggingface_hub


# The model card.


def _yaml(text: str) -> str:
    """A string as JSON, which YAML reads, with what YAML does not print escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04x}", quoted)


def _card(config: Mapping[str, Any], model: Any) -> str:
    signature = config["signature"] or {}
    classes = any("classes" in target for target in signature.get("targets", {}).values()) or "id2label" in config
    task = "tabular-classification" if classes else "tabular-regression"
    front = ["library_name: hotloop", f"pipeline_tag: {task}"]
    if config["license"]:
        front.append(f"license: {_yaml(config['license'])}")
    front += ["tags:", *(f"- {_yaml(tag)}" for tag in ("hotloop", *config["tags"]))]
    scores = {name: value for name, value in config["metrics"].items() if value is not None}
    if scores:
        front += ["metrics:", *(f"- {_yaml(name)}" for name in scores)]
        front += ["model-index:", f"- name: {_yaml(config['name'])}", "  results:", "  - task:", f"      type: {task}"]
        front += ["    dataset:", f"      name: {_yaml(config['dataset'])}", f"      type: {_yaml(config['dataset'])}"]
        front += ["    metrics:"]
        for name, value in scores.items():
            front += [f"    - type: {_yaml(name)}", f"      value: {value!r}"]
    body = [f"# {config['name']}", config["description"], "```python", "import hotloop as keras", ""]
    body += ['model = keras.models.load_model("model.safetensors")', "```"]
    for title, part in (("Inputs", "inputs"), ("Targets", "targets")):
        if signature.get(part):
            body += ["", f"## {title}", "", "| name | shape of a sample | dtype | values |", "|---|---|---|---|"]
            body += [_row(name, one) for name, one in signature[part].items()]
    if "id2label" in config:
        body += ["", "## Classes", "", *(f"{i}. {_line(label)}" for i, label in config["id2label"].items())]
    if config["metrics"]:
        shown = {name: math.nan if value is None else value for name, value in config["metrics"].items()}
        body += ["", "## Metrics", "", f"On {_line(config['dataset'])}:", "", "| metric | value |", "|---|---:|"]
        body += [f"| {_line(name)} | {value:.6g} |" for name, value in shown.items()]
    lines: builtins.list[str] = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    body += ["", "## Layers", "", "```", *lines, "```"]
    return "\n".join(["---", *front, "---", "", *body, ""])


def _row(name: str, one: Mapping[str, Any]) -> str:
    values = ""
    if one.get("classes"):
        values = ", ".join(str(value) for value in one["classes"][:20]) + (" ..." if len(one["classes"]) > 20 else "")
    elif one.get("range"):
        values = f"{one['range'][0]:.6g} to {one['range'][1]:.6g}"
    return f"| {_line(name)} | {tuple(one['shape'])} | {one['dtype']} | {_line(values)} |"


def _line(text: str) -> str:
    """Text for a cell of a table."""
    return re.sub(r"[\r\n]+", " ", str(text)).replace("|", "\\|")
