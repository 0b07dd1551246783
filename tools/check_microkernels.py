"""Read the machine code of the register tiles: sums stay in registers while a tile walks down k.

    python tools/check_microkernels.py BUILD_FOLDER

In the inner loop of every tile: no vector is stored, none but a broadcast is loaded by a multiply-add (what several
rows share is loaded once), and there are just as many multiply-adds as sums. Needs `objdump` of the GNU binutils.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

TILE = re.compile(
    r"^[0-9a-f]+ <void hl::\w+::\(anonymous namespace\)::(product_tile|outer_tile)<(float|double), (\d+), (\d+)>"
    r"|^[0-9a-f]+ <void hl::\w+::\(anonymous namespace\)::(chosen_sum)<(float|double), (\d+), (true|false)>"
)
LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
JUMP = re.compile(r"^j(?!mp)\w+$")
VECTOR = re.compile(r"%[xyz]mm\d+")
WIDTHS = {"avx2": "%ymm", "avx512": "%zmm"}  # rows whose tiles multiply and add in one instruction
TALLEST = {"avx2": 6, "avx512": 14}

Code = list[tuple[int, str, str]]  # address, operation, operands


def tiles(path: Path) -> dict[str, Code]:
    """The code of every tile, by its name."""
    command = ["objdump", "-d", "-C", "--no-show-raw-insn", str(path)]
    text = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Code] = {}
    code: Code | None = None
    for line in text.stdout.splitlines():
        if head := TILE.match(line):
            kind, dtype, *rest = [part for part in head.groups() if part]
            sizes = rest if kind != "chosen_sum" else ["1", rest[0]]  # rows, vectors
            code = found.setdefault(f"{kind}<{dtype}, {', '.join(sizes)}>{' continued' * (rest[-1] == 'true')}", [])
        elif not line:
            code = None
        elif code is not None and (part := LINE.match(line)):
            code.append((int(part[1], 16), part[2], part[3].split("#")[0].strip()))
    return found


def inner_loop(code: Code, sums: int) -> Code:
    """The shortest run of instructions that ends by jumping back to its start and multiplies and adds for every sum."""
    best: Code = []
    for end, (_, operation, operands) in enumerate(code):
        target = operands.split(" ")[0]
        if not JUMP.match(operation) or not re.fullmatch("[0-9a-f]+", target):
            continue
        loop = [line for line in code[: end + 1] if line[0] >= int(target, 16)]
        if sum("fmadd" in line[1] for line in loop) >= sums and (not best or len(loop) < len(best)):
            best = loop
    return best


def problems(row: str, name: str, code: Code) -> list[str]:
    """What is wrong with one tile."""
    rows, vectors = (int(n) for n in re.findall(r"\d+", name)[-2:])
    loop = inner_loop(code, rows * vectors)
    if not loop:
        return [f"{row} {name}: no loop with {rows * vectors} multiply-adds"]
    found = []
    fused = [line for line in loop if "fmadd" in line[1]]
    if len(fused) != rows * vectors:
        found.append(f"{row} {name}: {len(fused)} multiply-adds in a step, not {rows * vectors}")
    for address, operation, operands in loop:
        last = operands.rsplit(",", 1)[-1]
        if operation.startswith("vmov") and VECTOR.search(operands) and "(" in last:
            found.append(f"{row} {name}: stores a vector at {address:x}: {operation} {operands}")
    loads = [line for line in fused if "(" in line[2] and "{1to" not in line[2]]
    if rows > 1 and loads:
        address, operation, operands = loads[0]
        found.append(f"{row} {name}: loads in {len(loads)} multiply-adds, at {address:x}: {operation} {operands}")
    return found


def main() -> int:
    """Run as a command."""
    folder, found, count = Path(sys.argv[1]), [], 0
    for row, width in WIDTHS.items():
        for path in folder.rglob(f"cpu_{row}.cpp.o"):
            code = tiles(path)
            if not any(f"float, {TALLEST[row]}, 2>" in name for name in code):
                found.append(f"{row}: no tile of {TALLEST[row]} rows")
            for name, lines in code.items():
                count += 1
                found += problems(row, name, lines)
                if not any(width in operands for _, _, operands in lines):
                    found.append(f"{row} {name}: no {width[1:]} register")
    print("\n".join(found) or f"{count} tiles: sums in registers, shared vectors loaded once")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
