#!/usr/bin/env bash
# Runs tests on a processor that this machine is not, under qemu's user mode:
#
#   tools/check_emulated.sh generic [pytest arguments]   an x86 of 2008, Nehalem; the hotloop installed for $PYTHON
#   tools/check_emulated.sh neon [pytest arguments]      a 64-bit ARM; built here by a cross compiler
#
# hotloop must choose that row by itself. Without arguments pytest runs tests/ops, which takes minutes. Needs no root, but
# Debian's qemu-user and g++-aarch64-linux-gnu, and cmake, ninja, pybind11 and pytest from pip. EMULATED_WORK names a folder
# that keeps the ARM system and the build for the next time. Exit status 77: something is missing, nothing ran. A test that
# starts a process of its own shows nothing here: qemu does not follow it.
set -euo pipefail
cd "$(dirname "$0")/.."
row=${1:?generic or neon}
shift
python=${PYTHON:-python3}
work=${EMULATED_WORK:-$(mktemp -d)}
if [ -z "${EMULATED_WORK:-}" ]; then trap 'rm -rf "$work"' EXIT; fi
mkdir -p "$work"
work=$(cd "$work" && pwd)
export PYTHONDONTWRITEBYTECODE=1
unset HOTLOOP_BACKEND
ulimit -c 0

missing() { echo "SKIPPED, the $row row was NOT tested: $*" && exit 77; }
need() { command -v "$1" >"$work/log" || missing "no $1; install $2"; }

# Debian's Python for arm64, unpacked into $work/system, and its packages in $work/packages.
fetch_system() {
  local apt=$work/apt
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" && touch "$apt/status"
  apt-get() {
    command apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Install-Recommends=0 \
      -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" "$@" >"$work/log" 2>&1
  }
  apt-get update && apt-get install --download-only --yes python3 libpython3-dev libgomp1 libstdc++6 ||
    missing "Debian's arm64 packages could not be fetched: $(tail -1 "$work/log")"
  for package in "$apt"/archives/*.deb; do dpkg --extract "$package" "$work/system"; done
  "$python" -m pip install --quiet --target "$work/packages" --only-binary :all: --implementation cp \
    --python-version "$("${emulated[@]}" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" \
    --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 \
    numpy safetensors tqdm pytest hypothesis >"$work/log" 2>&1 ||
    missing "the Python packages for arm64 could not be fetched: $(tail -1 "$work/log")"
  touch "$work/complete"
}

build_neon() {
  # CMake asks the Python it is given where its headers are: it gets the one for ARM.
  printf '#!/bin/sh\nexec %s "$@"\n' "${emulated[*]@Q}" >"$work/python" && chmod +x "$work/python"
  cmake -S . -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHOTLOOP_WERROR=ON \
    -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
    -DCMAKE_CXX_FLAGS="-idirafter $work/system/usr/include" -DPython_EXECUTABLE="$work/python" \
    -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)"
  cmake --build "$work/build"
  export PYTHONPATH=$work/build/site:$work/packages
}

case $row in
  generic)
    need qemu-x86_64 qemu-user
    # OpenBLAS, inside NumPy, takes the emulated processor for a newer one.
    emulated=(qemu-x86_64 -cpu Nehalem -E OPENBLAS_CORETYPE=Nehalem "$(command -v "$python")")
    "${emulated[@]}" -c '' 2>"$work/log" || missing "$python is no program for x86"
    ;;
  neon)
    need qemu-aarch64 qemu-user
    need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
    need apt-get "Debian's apt"
    need cmake "cmake, by pip"
    need ninja "ninja, by pip"
    emulated=(qemu-aarch64 -L "$work/system" "$work/system/usr/bin/python3")
    test -e "$work/complete" || fetch_system
    build_neon
    ;;
  *) echo "expected generic or neon, received '$row'" && exit 2 ;;
esac

chosen=$("${emulated[@]}" -c 'from hotloop import _core; print(_core.row("float32"), _core.row("float64"))')
if [ "$chosen" != "$row $row" ]; then echo "expected hotloop to choose $row here, it chose $chosen" && exit 1; fi
if [ $# -eq 0 ]; then set -- tests/ops; fi
"${emulated[@]}" -m pytest -q -p no:cacheprovider "$@"
