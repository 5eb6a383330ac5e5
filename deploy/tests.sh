#!/usr/bin/env bash
# Tests of milvus.sh and onnxruntime.sh: real servers (lite, and standalone on Linux x86-64) on ports of
# their own, and a make-believe docker. Uses the programs that .local/milvus has, and downloads them there
# first if need be; data and logs go to a scratch folder. No servers but its own are touched.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=$(dirname "$here")/.local/milvus
scratch=$(realpath "$(mktemp -d)")
mkdir -p "$scratch/home"
export MILVUS_HOME=$scratch/home
unset ENGINE MILVUS_PORT MILVUS_WAIT MILVUS_AUTH MILVUS_TLS_DIR MILVUS_INNER_PORT YES LINES FOLLOW PYTHON

passed=0
own_pids=()

cleanup() {
  local pid file name
  for pid in "${own_pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for file in "$scratch"/home*/run/*.pid; do
    [[ -f $file ]] || continue
    name=$(basename "$file" .pid)
    MILVUS_HOME=${file%/run/*} ENGINE=${name%-*} MILVUS_PORT=${name##*-} "$here/milvus.sh" down >/dev/null 2>&1 || true
  done
  rm -rf "$scratch"
}
trap cleanup EXIT

milvus() { "$here/milvus.sh" "$@"; }

# expect CODE PATTERN NAME COMMAND...: COMMAND ends with CODE, and what it prints matches PATTERN.
expect() {
  local code=$1 pattern=$2 name=$3 got=0
  shift 3
  "$@" >"$scratch/out" 2>&1 </dev/null || got=$?
  if ((got != code)) || [[ -n $pattern ]] && ! grep -qE -- "$pattern" "$scratch/out"; then
    printf 'FAILED  %s\n  exit code %s, expected %s; expected output: %s\n  output:\n' "$name" "$got" "$code" "$pattern"
    sed 's/^/    /' "$scratch/out"
    exit 1
  fi
  passed=$((passed + 1))
  printf 'ok  %5.1f s  %s\n' "$(seconds)" "$name"
}

started=$(date +%s%N)
seconds() { awk -v a="$started" -v b="$(date +%s%N)" 'BEGIN { print (b - a) / 1e9 }'; }

pid_of() { cat "$MILVUS_HOME/run/$1.pid"; }

# Something on port $1 that is not Milvus.
serve_http() {
  python3 -m http.server --bind 127.0.0.1 "$1" --directory "$scratch/home" >/dev/null 2>&1 &
  own_pids+=($!)
  until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do sleep 0.1; done
}

# rows PORT write|count: a small collection, by way of the client that comes with Milvus Lite.
rows() {
  "$MILVUS_HOME/lite-venv/bin/python" -W ignore - "$@" <<'PYTHON'
import sys
from pymilvus import MilvusClient

client = MilvusClient(uri="http://127.0.0.1:" + sys.argv[1], token="root:Milvus", timeout=30)
if sys.argv[2] == "write":
    client.create_collection("kept", dimension=4, consistency_level="Strong")
    client.upsert("kept", [{"id": i, "vector": [i, 1, 2, 3]} for i in range(100)])
client.load_collection("kept")
print("rows:", client.query("kept", output_fields=["count(*)"], consistency_level="Strong")[0]["count(*)"])
PYTHON
}

# Whether everything that listens on port $1 listens on 127.0.0.1 only.
loopback_only() {
  python3 - "$1" <<'PYTHON'
import sys

LISTEN, LOOPBACK = "0A", {"0100007F", "0000000000000000FFFF00000100007F"}
found = set()
for table in ("/proc/net/tcp", "/proc/net/tcp6"):
    for line in list(open(table))[1:]:
        address, port = line.split()[1].split(":")
        if line.split()[3] == LISTEN and int(port, 16) == int(sys.argv[1]):
            found.add(address)
print(found)
sys.exit(not found or not found <= LOOPBACK)
PYTHON
}

quick() {
  local before took
  before=$(date +%s%N)
  "$@"
  took=$((($(date +%s%N) - before) / 1000000))
  echo "took $took ms"
  ((took < 3000)) # measured: 0.5 s; the rest is for a busy machine
}

both_at_once() {
  milvus up &
  local first=$!
  milvus up
  wait "$first"
}

test_arguments() {
  expect 2 '^usage: ' 'no verb shows the usage' milvus
  expect 2 '^usage: ' 'an unknown verb shows the usage' milvus start
  expect 0 '^usage: ' 'help' milvus --help
  expect 1 'MILVUS_PORT=no is no port' 'a port that is none' env MILVUS_PORT=no "$here/milvus.sh" up
  expect 1 'MILVUS_PORT=70000 is no port' 'a port too high' env MILVUS_PORT=70000 "$here/milvus.sh" up
  expect 1 'ENGINE=oracle is not known' 'an unknown engine' env ENGINE=oracle "$here/milvus.sh" up
  expect 1 'ENGINE=standalone only' 'a login, with lite' env ENGINE=lite MILVUS_AUTH=1 "$here/milvus.sh" up
  expect 1 'needs Python 3\.10 or newer' 'no Python for lite' \
    env ENGINE=lite MILVUS_PORT=20809 MILVUS_HOME="$scratch/home-empty" PYTHON=false "$here/milvus.sh" up
}

test_lite() {
  export ENGINE=lite MILVUS_PORT=20811
  local pid
  expect 1 'not running on port 20811' 'lite: status before the start' milvus status
  expect 0 '^milvus is up: http://127.0.0.1:20811 \(lite 3\.2\.2\)$' 'lite: two starts at once' both_at_once
  pid=$(pid_of lite-20811)
  expect 0 '^took' 'lite: another start is quick' quick "$here/milvus.sh" up
  expect 0 "^pid +$pid\$" 'lite: status names the same process' milvus status
  expect 0 "$MILVUS_HOME/data-lite-20811 \([0-9]" 'lite: status names the data' milvus status
  expect 0 '^engine +lite$' 'lite: status without ENGINE' env -u ENGINE "$here/milvus.sh" status
  expect 0 '127\.0\.0\.1|0100007F' 'lite: listens on 127.0.0.1 only' loopback_only 20811
  expect 0 'listening' 'lite: logs' milvus logs
  expect 0 '^rows: 100$' 'lite: rows go in' rows 20811 write
  expect 1 "taken by the lite engine \(pid $pid\)" 'lite: standalone refuses its port' \
    env ENGINE=standalone "$here/milvus.sh" up

  expect 0 'lite\) is down; its data stay' 'lite: down' milvus down
  expect 1 'not running' 'lite: status after down' milvus status
  expect 0 'not running' 'lite: down twice' milvus down
  sleep 60 &
  own_pids+=($!)
  pid=$!
  echo "$pid" >"$MILVUS_HOME/run/lite-20811.pid"
  expect 1 'not running' "lite: another program's pid in the pid file is no server" milvus status
  expect 0 'not running' 'lite: down leaves that program alone' milvus down
  expect 0 '' 'lite: it lives' kill -0 "$pid"
  echo "$pid" >"$MILVUS_HOME/run/lite-20811.pid"
  expect 0 'milvus is up' 'lite: up with a stale pid file' milvus up
  expect 0 '^rows: 100$' 'lite: the rows are still there' rows 20811 count

  kill -KILL "$(pid_of lite-20811)"
  expect 0 'milvus is up' 'lite: up after a crash' milvus up
  expect 0 '^rows: 100$' 'lite: the rows outlive a crash' rows 20811 count
  expect 1 'say so with YES=1' 'lite: reset without a terminal refuses' milvus reset
  expect 0 '^rows: 100$' 'lite: and deletes nothing' rows 20811 count
  expect 0 '^deleted .*data-lite-20811$' 'lite: reset' env YES=1 "$here/milvus.sh" reset
  expect 1 '' 'lite: its data are gone' test -e "$MILVUS_HOME/data-lite-20811"

  serve_http 20812
  expect 1 'port 20812 is taken by a program that is not Milvus: .*MILVUS_PORT=20822' 'lite: a port that is taken' \
    env MILVUS_PORT=20812 "$here/milvus.sh" up
  expect 0 '' 'lite: that program lives' kill -0 "${own_pids[-1]}"

  # A program that ends at once, in place of the server.
  local broken=$scratch/home-broken/lite-venv
  mkdir -p "$broken/bin"
  grep -v '^#' "$here/lite-requirements.txt" | sha256sum >"$broken/installed"
  printf '#!/bin/sh\necho no room on the disk\nexit 3\n' >"$broken/bin/python"
  chmod +x "$broken/bin/python"
  expect 1 'no room on the disk' 'lite: a start that fails shows the end of the log' \
    env MILVUS_PORT=20813 MILVUS_HOME="$scratch/home-broken" "$here/milvus.sh" up
  expect 1 'did not start: it stopped while starting' 'lite: and says so' \
    env MILVUS_PORT=20813 MILVUS_HOME="$scratch/home-broken" "$here/milvus.sh" up
}

test_standalone() {
  export ENGINE=standalone MILVUS_PORT=20821
  local pid
  serve_http 29212
  expect 1 'port 29212, one of those Milvus needs.*MILVUS_INNER_PORT=' 'standalone: an inner port that is taken' milvus up
  kill "${own_pids[-1]}"
  export MILVUS_INNER_PORT=29750
  expect 0 '^milvus is up: http://127.0.0.1:20821 \(standalone 2\.3\.5\)$' 'standalone: up' milvus up
  pid=$(pid_of standalone-20821)
  expect 0 '^took' 'standalone: another start is quick' quick "$here/milvus.sh" up
  expect 0 "^pid +$pid\$" 'standalone: status names the same process' milvus status
  expect 0 '^version +2\.3\.5$' 'standalone: status without ENGINE' env -u ENGINE "$here/milvus.sh" status
  expect 1 'with other settings of MILVUS_AUTH' 'standalone: a start with other settings' env MILVUS_AUTH=1 "$here/milvus.sh" up
  expect 0 '^rows: 100$' 'standalone: rows go in' rows 20821 write

  expect 0 '\(standalone 2\.3\.5\)$' 'standalone: a second one beside it, with a login' second_standalone
  expect 0 '^rows: 100$' 'standalone: the first one still answers' rows 20821 count

  kill -KILL "$pid"
  expect 1 'not running' 'standalone: status after a crash' milvus status
  expect 0 'milvus is up' 'standalone: up after a crash' milvus up
  expect 0 '^rows: 100$' 'standalone: the rows outlive it' rows 20821 count
  expect 0 'standalone\) is down; its data stay' 'standalone: down' milvus down
  expect 1 'say so with YES=1' 'standalone: reset without a terminal refuses' milvus reset
  expect 0 '^deleted .*data-standalone-20821$' 'standalone: reset' env YES=1 "$here/milvus.sh" reset
  unset MILVUS_INNER_PORT
}

second_standalone() {
  mkdir -p "$scratch/home2"
  ln -sfn "$programs/standalone-2.3.5" "$scratch/home2/standalone-2.3.5"
  env MILVUS_HOME="$scratch/home2" MILVUS_PORT=20823 MILVUS_INNER_PORT=29770 MILVUS_AUTH=1 "$here/milvus.sh" up
  env MILVUS_HOME="$scratch/home2" MILVUS_PORT=20823 "$here/milvus.sh" down
}

test_docker() {
  local bin=$scratch/bin
  mkdir -p "$bin"
  export FAKE_DOCKER=$scratch/docker-state
  # Knows the few calls that docker.sh makes; healthy at the third question.
  cat >"$bin/docker" <<'SH'
#!/usr/bin/env bash
echo "MILVUS_PORT=${MILVUS_PORT:-} docker $*" >>"$FAKE_DOCKER.log"
case $* in
  info) [[ ! -f $FAKE_DOCKER.off ]] ;;
  'compose version') ;;
  *' up --detach') echo 0 >"$FAKE_DOCKER" ;;
  *' ps --quiet milvus') [[ ! -f $FAKE_DOCKER ]] || echo 0123456789abcdef ;;
  inspect*)
    asked=$(($(cat "$FAKE_DOCKER") + 1))
    echo "$asked" >"$FAKE_DOCKER"
    if ((asked >= 3)); then echo healthy; else echo starting; fi
    ;;
  *' down' | *' down --volumes') rm -f "$FAKE_DOCKER" ;;
  *' exec -T minio du -sh /data') printf '12M\t/data\n' ;;
  *' logs --tail 7 milvus') echo 'a line of the log' ;;
  *) exit 9 ;;
esac
SH
  chmod +x "$bin/docker"
  export PATH=$bin:$PATH MILVUS_PORT=20831
  unset ENGINE
  expect 1 'docker\) is not running on port 20831' 'docker: the default where it answers' milvus status
  expect 0 '^milvus is up: http://127.0.0.1:20831 \(docker 3\.0\.2\)$' 'docker: up waits until it is healthy' milvus up
  expect 0 'MILVUS_PORT=20831 docker compose --project-name milvus-image-search-20831 --file .*/docker-compose.yml up --detach' \
    'docker: what compose was told' cat "$FAKE_DOCKER.log"
  expect 0 '^took' 'docker: another start is quick' quick "$here/milvus.sh" up
  expect 0 '^1$' 'docker: and starts nothing' grep -c 'up --detach' "$FAKE_DOCKER.log"
  expect 0 '^container +0123456789ab$' 'docker: status' milvus status
  expect 0 '\(12M\)' "docker: status tells the data's size" milvus status
  expect 0 '^a line of the log$' 'docker: logs' env LINES=7 "$here/milvus.sh" logs
  expect 1 'say so with YES=1' 'docker: reset without a terminal refuses' milvus reset
  expect 0 'docker\) is down; its data stay' 'docker: down' milvus down
  expect 0 '^deleted the volumes' 'docker: reset' env YES=1 "$here/milvus.sh" reset
  expect 0 ' down --volumes$' 'docker: and its volumes' cat "$FAKE_DOCKER.log"
  serve_http 20832
  expect 1 'port 20832 is taken by a program that is not Milvus' 'docker: a port that is taken' \
    env MILVUS_PORT=20832 "$here/milvus.sh" up
  touch "$FAKE_DOCKER.off"
  expect 1 'lite\) is not running' 'docker: lite is the default where no engine answers' milvus status
  expect 1 "engine does not answer" 'docker: asked for, and no engine answers' env ENGINE=docker "$here/milvus.sh" up
}

test_onnxruntime() {
  expect 0 'libonnxruntime\.so\.1\.24\.4$' 'onnxruntime: is there' "$here/onnxruntime.sh"
  expect 0 'libonnxruntime\.so\.1\.24\.4$' 'onnxruntime: the second time needs nothing' env PYTHON=false "$here/onnxruntime.sh"
  expect 1 'download of onnxruntime==1\.24\.4 needs Python 3\.9 or newer, and false is not' 'onnxruntime: no Python' \
    env PYTHON=false ONNXRUNTIME_HOME="$scratch/runtime" "$here/onnxruntime.sh"
  expect 1 'downloading onnxruntime==1\.24\.4 .* failed' 'onnxruntime: no download' \
    env PIP_NO_INDEX=1 PIP_FIND_LINKS='' ONNXRUNTIME_HOME="$scratch/runtime" "$here/onnxruntime.sh"
  expect 0 '^0$' 'onnxruntime: leaves nothing half done' sh -c "ls -A '$scratch/runtime' | wc -l"
}

MILVUS_HOME=$programs ENGINE=lite milvus install
ln -s "$programs/lite-venv" "$MILVUS_HOME/lite-venv"
test_arguments
test_lite
if [[ $(uname -sm) == 'Linux x86_64' ]]; then
  MILVUS_HOME=$programs ENGINE=standalone milvus install
  ln -s "$programs/standalone-2.3.5" "$MILVUS_HOME/standalone-2.3.5"
  test_standalone
else
  echo 'skipped: standalone exists for Linux on x86-64 only'
fi
test_docker
test_onnxruntime
printf '%s checks passed in %.0f s\n' "$passed" "$(seconds)"
