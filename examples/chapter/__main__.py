"""Runs sections of the chapter and writes the table in docs/chapter.md.

    python -m examples.chapter [SECTION ...] [--seeds N] [--short] [--write]

With --write the values go into examples/chapter/results.json, next to those of sections that did not run, and the
table of docs/chapter.md is made anew from that file.
"""

import argparse
import importlib
import json
import re
from pathlib import Path

from . import SECTIONS
from .common import Section, Values

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).resolve().parents[2] / "docs/chapter.md"
MARK = re.compile(r"(<!-- table: .* -->\n).*?(<!-- end of the table -->)", re.DOTALL)


def section(name: str) -> Section:
    return importlib.import_module(f".{name}", __package__).SECTION


HEAD = ["| figure | documents | hotloop, median | hotloop, range |", "|---|---:|---:|---|"]


def table(results: dict[str, Values]) -> str:
    """First what the documents print, then a table a section, in the chapter's order."""
    printed, lines = [], []
    for name in (name for name in SECTIONS if name in results):
        title, rows = section(name).title, section(name).rows(results[name])
        printed += [(f"{title.partition(':')[0]}: {row[0]}", *row[1:]) for row in rows if row[1]]
        seeds = len(next(iter(results[name].values())))
        lines += ["", f"## {title}", "", f"`python -m examples.chapter.{name}`, {seeds} seeds.", "", *HEAD]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
    head = ["", "## What the documents print", "", *HEAD, *("| " + " | ".join(row) + " |" for row in printed)]
    return "\n".join([*head, *lines, "", ""])


def page(text: str, results: dict[str, Values]) -> str:
    """The page with the table of these results."""
    after, count = MARK.subn(lambda m: m.group(1) + table(results) + m.group(2), text)
    if count != 1:
        raise SystemExit(f"{PAGE} needs one '<!-- table: ... -->' line, has {count}.")
    return after


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(prog="python -m examples.chapter", description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)} (all)")
    parser.add_argument("--seeds", type=int, help="how many runs to take medians of (a section's own number)")
    parser.add_argument("--short", action="store_true", help="one epoch on 2,000 images: does it run?")
    parser.add_argument("--write", action="store_true", help="keep the results, write the table")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"expected sections of {', '.join(SECTIONS)}, received {', '.join(sorted(unknown))}")
    if options.short and options.write:
        parser.error("--short measures nothing that could be written")
    for name in options.sections or SECTIONS:
        values = section(name).measure(options.seeds, options.short)
        print(f"\n{section(name).title}", flush=True)
        for figure, theirs, ours, spread in section(name).rows(values):
            print(f"  {figure}: {ours} ({spread})" + (f", documents {theirs}" if theirs else ""), flush=True)
        if options.write:
            results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
            RESULTS.write_text(json.dumps({**results, name: values}, indent=1) + "\n")
            PAGE.write_text(page(PAGE.read_text(), json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
