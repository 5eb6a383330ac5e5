#!/usr/bin/env bash
set -euo pipefail

# Read first: bash itself sets LINES to the terminal's height as soon as another program has run.
log_lines=${LINES:-100}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$here/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=lib/wait.sh
source "$here/lib/wait.sh"
# shellcheck source-path=SCRIPTDIR source=lib/process.sh
source "$here/lib/process.sh"
# shellcheck source-path=SCRIPTDIR source=lib/lite.sh
source "$here/lib/lite.sh"
# shellcheck source-path=SCRIPTDIR source=lib/standalone.sh
source "$here/lib/standalone.sh"
# shellcheck source-path=SCRIPTDIR source=lib/docker.sh
source "$here/lib/docker.sh"

usage() {
  cat <<'TEXT'
Runs a Milvus server on this machine, reachable at http://127.0.0.1:19530.

usage: deploy/milvus.sh up|down|status|logs|reset|install

  up      start it, if it does not run yet, and wait until it answers
  down    stop it; the data stay
  status  say what runs; exit code 1 if nothing does
  logs    show the last lines of its log (LINES=n, default 100; FOLLOW=1 goes on)
  reset   stop it and delete its data (asks first; YES=1 answers)
  install only download it; `up` does so by itself

environment:
  ENGINE       docker      Milvus 3.0.2 with etcd and MinIO, by docker compose
               lite        Milvus Lite 3.2.2, a Python program (Python 3.10 or newer)
               standalone  Milvus 2.3.5, a native program (Linux x86-64), for tests
               default: what runs on MILVUS_PORT; else docker where it answers; else lite
  MILVUS_PORT  the port on 127.0.0.1 (default 19530); each port has its own data
  MILVUS_HOME  where programs, data and logs lie (default .local/milvus in this repository)
  MILVUS_WAIT  how many seconds `up` waits for an answer (default 120)
  PYTHON       the Python to use (default: the first one in PATH that is new enough)

ENGINE=docker only:
  MILVUS_METRICS_PORT  where 127.0.0.1 has its metrics and /healthz (default 9091, or MILVUS_PORT + 1)
  MINIO_ROOT_USER, MINIO_ROOT_PASSWORD  the login between Milvus and MinIO

ENGINE=standalone only:
  MILVUS_AUTH=1        ask for a login (root:Milvus at first)
  MILVUS_TLS_DIR=DIR   speak TLS; DIR holds server.pem, server.key and ca.pem
  MILVUS_INNER_PORT=N  first of the 9 ports Milvus uses between its own parts
TEXT
}

# Settles engine, port, home and what follows from them.
settle() {
  port=${MILVUS_PORT:-19530}
  if [[ ! $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then
    die "MILVUS_PORT=$port is no port: give a number from 1 to 65535"
  fi
  wait_s=${MILVUS_WAIT:-120}
  [[ $wait_s =~ ^[1-9][0-9]{0,5}$ ]] || die "MILVUS_WAIT=$wait_s is no number of seconds"
  [[ $log_lines =~ ^[0-9]+$ ]] || die "LINES=$log_lines is no number of lines"
  home=${MILVUS_HOME:-$(dirname "$here")/.local/milvus}
  home=$(realpath -m "$home") # one name for it: command lines are compared with it
  suffix=
  ((port == 19530)) || suffix=-$port

  engine=${ENGINE:-$(default_engine)}
  case $engine in
    lite | standalone) kind=process ;;
    docker) kind=docker ;;
    *) die "ENGINE=$engine is not known: give docker, lite or standalone" ;;
  esac
  if [[ $engine != standalone && -n ${MILVUS_AUTH:-}${MILVUS_TLS_DIR:-} ]]; then
    die "MILVUS_AUTH and MILVUS_TLS_DIR work with ENGINE=standalone only, not with $engine"
  fi
  data=$home/data-$engine$suffix
  pid_file=$home/run/$engine-$port.pid
  log=$home/run/$engine-$port.log
  scheme=http
}

# What already runs on this port (for `logs`: what last did), else docker where it answers, else lite.
default_engine() {
  local candidate
  if [[ $verb == logs ]]; then
    candidate=$(cd "$home/run" 2>/dev/null && find . -name "*-$port.log" -printf '%T@ %f\n' | sort -rn | head -n 1)
    candidate=${candidate#* }
    if [[ -n $candidate ]]; then
      echo "${candidate%-"$port".log}"
      return
    fi
  fi
  for candidate in lite standalone; do
    if [[ -n $(running_pid "$candidate") ]]; then
      echo "$candidate"
      return
    fi
  done
  if docker_answers; then echo docker; else echo lite; fi
}

# One `up`, `down` or `reset` at a time in one MILVUS_HOME.
lock() {
  mkdir -p "$home/run"
  exec {lock_fd}>"$home/run/lock"
  flock -w "$((wait_s + 600))" "$lock_fd" || die "another milvus.sh has held $home/run/lock for too long"
}

confirm_reset() {
  [[ ${YES:-} != 1 ]] || return 0
  [[ -t 0 ]] || die "reset deletes $1: say so with YES=1"
  local answer
  read -r -p "delete $1? [y/N] " answer
  [[ $answer == [yY]* ]] || die "nothing was deleted"
}

[[ $(uname -s) == Linux ]] ||
  die "milvus.sh works on Linux; elsewhere use \`docker compose --file deploy/docker-compose.yml up --detach\`"

verb=${1:-}
(($# <= 1)) || verb=
case $verb in
  up | down | reset | install)
    settle
    lock
    "${kind}_$verb"
    ;;
  status | logs)
    settle
    "${kind}_$verb"
    ;;
  help | -h | --help) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
