#!/usr/bin/env bash
# One model over the tasks of a Slurm array; each task evaluates its shard. Then, once all have ended, join them exactly:
#
#   sbatch --array=1-8 deploy/slurm-array.sh snn-calibration/vgg-mini-mnist --backend events
#   cargo xtask merge results/shard-*.json --json results/whole.json
#
# ZOO is the command (default: cargo xtask), RESULTS the folder of the results (default: results). Build once before the
# array starts, and let the tasks share ZOO_CACHE: fetches lock.
#SBATCH --job-name=zoo
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=01:00:00
set -euo pipefail
: "${SLURM_ARRAY_TASK_ID:?run this as an array job: sbatch --array=1-N $0 MODEL}"
: "${SLURM_ARRAY_TASK_COUNT:?run this as an array job: sbatch --array=1-N $0 MODEL}"
first=${SLURM_ARRAY_TASK_MIN:-1}
shard=$((SLURM_ARRAY_TASK_ID - first + 1))
results=${RESULTS:-results}
mkdir -p "$results"
exec ${ZOO:-cargo xtask} fetch-and-eval "$@" --shard "$shard/$SLURM_ARRAY_TASK_COUNT" --json "$results/shard-$shard.json"
