"""Check the objects of the kernel table: each exports its one table, and runs nothing when it is loaded.

    python tools/check_isa_symbols.py BUILD_FOLDER

A function that two instruction sets share under one name would be linked once, perhaps the copy that the processor
cannot run; a static initialiser would run before the row is chosen. Needs `nm` and `objdump` of the GNU binutils.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXPECTED = {"x86_64": {"generic", "avx2", "avx512"}, "aarch64": {"generic", "neon"}}
STARTS = re.compile(r"\.(init_array|ctors)\b")


def tool(*command: str) -> str:
    """What a program prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def problems(row: str, path: Path) -> list[str]:
    """What is wrong with one object."""
    table = f"hl::cpu_{row}"
    names = {
        line.split(" ", 2)[2] for line in tool("nm", "-C", "--defined-only", "--extern-only", str(path)).splitlines()
    }
    found = [f"{path.name} exports {name}" for name in sorted(names - {table})]
    if table not in names:
        found.append(f"{path.name} does not export {table}")
    if STARTS.search(tool("objdump", "-h", str(path))):
        found.append(f"{path.name} runs code when it is loaded")
    return found


def main() -> int:
    """Run as a command."""
    folder = Path(sys.argv[1])
    rows = {p.name[len("cpu_") : -len(".cpp.o")]: p for p in sorted(folder.rglob("cpu_*.cpp.o"))}
    found = [text for row, path in rows.items() for text in problems(row, path)]
    machine = tool("uname", "-m").strip()
    found += [f"no object for row {row}" for row in sorted(EXPECTED.get(machine, set()) - set(rows))]
    print("\n".join(found) or f"rows {', '.join(rows)}: one table each, and nothing else")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
