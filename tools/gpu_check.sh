#!/usr/bin/env bash
# Builds, tests and times hotloop on an NVIDIA GPU, in four stages that run apart and take up where they stopped:
#
#   tools/gpu_check.sh build      compiles with CUDA into build/gpu
#   tools/gpu_check.sh check      the op harness, training and the trajectories on the GPU; the op harness on the CPU's rows
#   tools/gpu_check.sh sanitize   compute-sanitizer: memcheck and racecheck over a sample of the op harness
#   tools/gpu_check.sh measure    benchmarks beside PyTorch and JAX, and the report of all stages
#   tools/gpu_check.sh all        one after the other
#
#   --out DIR        where logs and results go ($OUT, or build/gpu_check): STAGE.log, STAGE.json, gpu.json, gpu.md
#   --seconds N      of a stage (530): a part that would last longer is stopped, or left for the next time
#   --part WORD      only the parts whose name contains it
#   --again          does again what has passed
#   --device NAME    cuda, or cuda_emulated, which tries the script where there is no GPU, with small sizes
#   --dry-run        says what it would run
#
# Builds are in build/ ($GPU_CHECK_BUILD), with what has passed. Needs nvcc, cmake, ninja, pybind11, and for Python NumPy,
# safetensors, tqdm, pytest, pytest-xdist and hypothesis; no network. MNIST is taken from $HOTLOOP_HOME/datasets. Exit
# status 1: a part failed or was left.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
python=${PYTHON:-python3}
cores=$(nproc)
out=${OUT:-} limit=530 only="" again=0 device=cuda dry=0 stages=()
while [ $# -gt 0 ]; do
  case $1 in
    build | check | sanitize | measure) stages+=("$1") ;;
    all) stages+=(build check sanitize measure) ;;
    --out) out=$2 && shift ;;
    --seconds) limit=$2 && shift ;;
    --device) device=$2 && shift ;;
    --part) only=$2 && shift ;;
    --again) again=1 ;;
    --dry-run) dry=1 ;;
    *) echo "expected build, check, sanitize, measure or all, and --out, --seconds, --part, --device, --again or --dry-run; received '$1'" && exit 2 ;;
  esac
  shift
done
if [ ${#stages[@]} -eq 0 ]; then echo "expected a stage: build, check, sanitize, measure or all" && exit 2; fi
case $device in
  cuda) rows=(-DHOTLOOP_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES="${CUDAARCHS:-90a-real}") tiny=() ;;
  cuda_emulated) rows=(-DHOTLOOP_CUDA=OFF -DHOTLOOP_EMULATED=ON) tiny=(--tiny) ;;
  *) echo "expected --device cuda or cuda_emulated, received '$device'" && exit 2 ;;
esac
root=${GPU_CHECK_BUILD:-$PWD/build} name=$([ "$device" = cuda ] && echo gpu || echo "$device")
build=$root/$name state=$root/${name}_check site=$root/$name/site
out=${out:-$state}
mkdir -p "$state/logs" "$out"
export PYTHONPATH=$site:$PWD PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# part NAME SECONDS COMMAND...: runs it unless it has passed since the build, keeps its log, notes how it ended.
part() {
  local name=$1 most=$2 log=$state/logs/$stage-${1// /_}.log status begin=$SECONDS result last left
  shift 2
  left=$((stage_end - SECONDS))
  if [[ $name != *"$only"* ]]; then return; fi
  if [ "$dry" = 1 ]; then printf '%-9s%-28s%4d s  %s\n' "$stage" "$name" "$most" "$*" && return; fi
  if [ "$again" = 0 ] && [ "$stage" != build ] && [ -e "$log.passed" ] && [ ! "$state/built" -nt "$log.passed" ]; then
    result=passed begin=$((SECONDS - $(cat "$log.passed")))
  elif [ "$left" -lt 15 ]; then
    result=left && echo "no time was left for it" >"$log"
  else
    printf '=== %s: %s (at %d s)\n' "$stage" "$name" "$SECONDS"
    rm -f "$log.passed"
    timeout --signal=INT --kill-after=20 $((most < left ? most : left)) "$@" >"$log" 2>&1 </dev/null
    status=$?
    case $status in
      0) result=passed && echo $((SECONDS - begin)) >"$log.passed" ;;
      124 | 137) result=stopped ;;
      *) result=failed ;;
    esac
    if [ "$result" != passed ]; then tail -n 25 "$log"; fi
  fi
  if [ "$result" != passed ]; then unfinished+=("$stage: $name ($result)"); fi
  last=$(grep -E '[0-9]+ (passed|failed|error)|ERROR SUMMARY|RACECHECK SUMMARY' "$log" | tail -n 2 | tr '\n\t' '  ')
  last=${last:-$(tail -n 1 "$log" | tr '\t' ' ')}
  printf '%s\t%s\t%d\t%s\n' "$name" "$result" $((SECONDS - begin)) "${last:0:200}" >>"$state/$stage.parts"
  printf '%-9s%-28s%-8s %s\n' "$stage" "$name" "$result" "${last:0:120}"
}

# tests NAME SECONDS ROW PYTEST-ARGUMENTS...: a row of its own for all models, or "" for the default.
tests() {
  local name=$1 most=$2 row=$3
  shift 3
  part "$name" "$most" env ${row:+HOTLOOP_BACKEND=$row} "$python" -m pytest -q -p no:cacheprovider \
    -W default::DeprecationWarning --maxfail=40 "$@"
}

build() {
  part configure 60 cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${rows[@]}" \
    -DPython_EXECUTABLE="$(command -v "$python")" -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)"
  part compile 520 cmake --build "$build" --parallel "$cores" --verbose
  if [ "$device" = cuda ]; then part spills 20 "$python" tools/check_spills.py "$state/logs/build-compile.log"; fi
  part info 60 "$python" -m hotloop info
  if [ "$dry" = 0 ]; then touch -r "$(ls "$site"/hotloop/_core*.so)" "$state/built"; fi
}

check() {
  part device 60 "$python" -c "import hotloop; hotloop.set_device('$device')"
  tests "ops, a sample" 120 "$device" tests/ops -n 4 --every 40
  tests trajectories 120 "" tests/train/test_device_trajectories.py tests/api/test_devices.py -n 2 \
    -k "$device and not $other"
  tests ops 400 "$device" tests/ops -n 8
  tests training 180 "$device" tests/train/test_trajectories.py tests/train/test_fit.py \
    tests/train/test_evaluate_predict.py tests/train/test_data.py tests/api/test_optimizers.py tests/api/test_custom.py -n 8
  local row
  for row in $("$python" -c 'from hotloop import _core; print(*(r for r in _core.rows() if "cuda" not in r))' ||
    echo generic); do
    tests "ops on $row" 120 "$row" tests/ops -n "$cores"
  done
}

sanitize() {
  if [ "$device" != cuda ]; then echo "compute-sanitizer is for real GPUs" && return; fi
  local tool=(compute-sanitizer --error-exitcode 9 --target-processes all)
  local sample=("$python" -m pytest -q -p no:cacheprovider -W default::DeprecationWarning)
  part memcheck 240 env HOTLOOP_BACKEND=cuda "${tool[@]}" --tool memcheck "${sample[@]}" tests/ops --every 120
  part racecheck 200 env HOTLOOP_BACKEND=cuda "${tool[@]}" --tool racecheck --racecheck-report all "${sample[@]}" \
    tests/ops/test_dense.py tests/ops/test_gemm.py tests/ops/test_tensor_cores.py --every 12
  part synccheck 80 env HOTLOOP_BACKEND=cuda "${tool[@]}" --tool synccheck "${sample[@]}" tests/ops/test_dense.py --every 24
}

measure() {
  part measure "$limit" "$python" -m benchmarks.gpu --device "$device" --out "$state" --seconds $((stage_end - SECONDS - 10)) \
    "${tiny[@]}"
  if [ "$dry" = 0 ] && [ -e "$state/gpu.md" ] && [ "$state" != "$out" ]; then cp "$state"/gpu.{json,md} "$out"; fi
}

# STAGE.json and STAGE.log from what its parts left.
finish() {
  "$python" - "$state" "$out" "$stage" <<'PY'
import json
import pathlib
import sys

state, out, stage = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
rows = [line.split("\t") for line in (state / f"{stage}.parts").read_text().splitlines()]
parts = [dict(zip(("name", "status", "seconds", "last"), row)) for row in rows]
text = json.dumps({"stage": stage, "parts": parts}, indent=1) + "\n"
log = ""
for part in parts:
    path = state / "logs" / f"{stage}-{part['name'].replace(' ', '_')}.log"
    log += f"=== {part['name']}: {part['status']}\n{path.read_text(errors='replace')[-1_000_000:]}\n"
for folder in {state, out}:
    (folder / f"{stage}.json").write_text(text)
    (folder / f"{stage}.log").write_text(log)
PY
}

unfinished=()
other=$([ "$device" = cuda ] && echo cuda_emulated || echo nothing)
for stage in "${stages[@]}"; do
  stage_end=$((SECONDS + limit))
  if [ "$dry" = 0 ]; then : >"$state/$stage.parts"; fi
  "$stage"
  if [ "$dry" = 0 ]; then finish; fi
done
if [ ${#unfinished[@]} -gt 0 ]; then
  printf '\nnot passed:\n' && printf '  %s\n' "${unfinished[@]}"
  exit 1
fi
echo "all passed"
