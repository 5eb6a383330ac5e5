# shellcheck shell=bash disable=SC2034,SC2154  # shares its variables with milvus.sh
# Ports, and waiting for a server. Sourced by milvus.sh.

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Asks the server on $port for its version, by gRPC; prints it without the decorations the engines add.
# The exit code is probe.py's.
probe() {
  local version options=()
  [[ -n ${probe_python:=$(find_python 7)} ]] || return 1
  [[ $scheme == http ]] || options=(--tls)
  version=$("$probe_python" "$here/lib/probe.py" 127.0.0.1 "$port" "${options[@]}") || return
  version=${version#milvus_lite-}
  version=${version#v}
  printf '%s\n' "${version%-lite}"
}

# Stops with an error if something listens on $port; called when it cannot be ours.
require_free_port() {
  port_open "$port" || return 0
  local other who='a program that is not Milvus' version
  for other in lite standalone; do
    if [[ $other != "$engine" && -n $(running_pid "$other") ]]; then
      die "port $port is taken by the $other engine (pid $(running_pid "$other")): stop it with \`ENGINE=$other MILVUS_PORT=$port deploy/milvus.sh down\`, or choose another port for $engine, e.g. MILVUS_PORT=$((port + 10))"
    fi
  done
  if version=$(probe); then
    who="a Milvus $version that was not started here as $engine"
  fi
  die "port $port is taken by $who: stop that, or choose another port, e.g. MILVUS_PORT=$((port + 10))"
}

# wait_until SECONDS PID COMMAND...: runs COMMAND until it succeeds, five times a second, as long as the
# process PID lives; a dot a second on stderr. On failure $failure says why.
wait_until() {
  local limit=$1 watched_pid=$2 start=$SECONDS shown=0
  shift 2
  failure=
  while ! "$@" >/dev/null; do
    if ! alive "$watched_pid"; then
      failure='it stopped while starting'
    elif ((SECONDS - start >= limit)); then
      failure="no answer within $limit s (MILVUS_WAIT=n waits longer)"
    else
      while ((shown < SECONDS - start)); do
        printf '.' >&2
        shown=$((shown + 1))
      done
      sleep 0.2
      continue
    fi
    break
  done
  ((shown == 0)) || say ''
  [[ -z $failure ]]
}

report_up() {
  local version
  version=$(probe) || version=$1
  printf 'milvus is up: %s://127.0.0.1:%s (%s %s)\n' "$scheme" "$port" "$engine" "$version"
}
