# shellcheck shell=bash disable=SC2034,SC2154  # shares its variables with milvus.sh
# The engines that are programs of this machine, lite and standalone: one background process each, with a
# pid file and a log. Sourced by milvus.sh. An engine gives these functions:
#   ENGINE_install    puts the program below $home, once
#   ENGINE_configure  checks the options, sets $scheme and writes the configuration
#   ENGINE_command    sets the arrays `program` (its command line) and `environment`
#   ENGINE_mark       prints what the command line of its server on $port has, and no other's
#   ENGINE_ready      succeeds when the server answers
# and the constants ENGINE_version and ENGINE_stop_s, how many seconds it gets to stop by itself.

# The pid of our own server of this engine on $port; nothing if it does not run. A pid file may be left
# over from a crash and its number may be another program's by now: the command line tells.
running_pid() {
  local file=$home/run/$1-$port.pid
  [[ $(arguments_of "$file") != *"$("$1_mark")"* ]] || cat "$file"
}

# The command line of the process that a pid file names; nothing if there is none.
arguments_of() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ && -r /proc/$pid/cmdline ]] || return 0
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null || true
}

# Whether a process exists and is more than a zombie, which is what a dead one may stay for a while. One
# whose first thread is dead holds its ports until the others are.
alive() {
  local stat threads
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  threads=("/proc/$1/task/"*)
  [[ ${stat##*) } != [ZX]* ]] || ((${#threads[@]} > 1))
}

process_install() { "${engine}_install"; }

process_up() {
  local pid started='' failure program environment
  pid=$(running_pid "$engine")
  if [[ -n $pid ]]; then
    "${engine}_configure" check
  else
    require_free_port
    "${engine}_install"
    mkdir -p "$data"
    "${engine}_configure" write
    "${engine}_command"
    [[ ! -f $log ]] || mv "$log" "$log.1"
    # A session of its own: closing the terminal or Ctrl-C does not reach it. It must not hold the lock.
    # Its working folder is its data: Milvus writes there what no setting places.
    (cd "$data" && exec setsid env -i "PATH=$PATH" "HOME=${HOME:-/}" "LANG=${LANG:-C.UTF-8}" "${environment[@]}" \
      "${program[@]}" {lock_fd}>&-) >"$log" 2>&1 </dev/null &
    pid=$! started=1
    echo "$pid" >"$pid_file"
    say "starting milvus ($engine, pid $pid) on port $port ..."
  fi
  if ! wait_until "$wait_s" "$pid" "${engine}_ready"; then
    say "the end of $log:"
    tail -n 20 "$log" >&2 || true
    [[ -n $started ]] || die "milvus ($engine) runs as pid $pid but gives no answer: stop it (down), then start it again"
    stop_process "$pid"
    die "milvus ($engine) did not start: $failure. Its log is $log"
  fi
  report_up "$(constant version)"
}

constant() {
  local name=${engine}_$1
  printf '%s\n' "${!name}"
}

# Asks our process to stop, and then makes it: both engines recover from that at the next start.
stop_process() {
  local pid=$1 start=$SECONDS limit
  limit=$(constant stop_s)
  kill -TERM "$pid" 2>/dev/null || true
  while alive "$pid" && ((SECONDS - start < limit)); do sleep 0.1; done
  if alive "$pid"; then
    say "milvus ($engine, pid $pid) did not stop within $limit s: killing it"
    kill -KILL "$pid" 2>/dev/null || true
    while alive "$pid"; do sleep 0.1; done
  fi
  rm -f "$pid_file"
}

process_down() {
  local pid
  pid=$(running_pid "$engine")
  if [[ -z $pid ]]; then
    rm -f "$pid_file"
    echo "milvus ($engine) is not running on port $port"
    return
  fi
  stop_process "$pid"
  echo "milvus ($engine) is down; its data stay in $data"
}

process_status() {
  local pid version
  pid=$(running_pid "$engine")
  if [[ -z $pid ]]; then
    echo "milvus ($engine) is not running on port $port"
    return 1
  fi
  "${engine}_configure" read
  if ! "${engine}_ready" >/dev/null; then
    echo "milvus ($engine) runs as pid $pid but does not answer on port $port; its log is $log"
    return 1
  fi
  version=$(probe) || version=$(constant version)
  printf '%-8s %s\n' engine "$engine" address "$scheme://127.0.0.1:$port" version "$version" pid "$pid" \
    data "$data ($(size_of "$data"))" log "$log ($(size_of "$log"))"
}

size_of() { du -sh "$1" 2>/dev/null | cut -f1; }

process_logs() {
  [[ -f $log ]] || die "there is no log yet: $log"
  local options=()
  [[ ${FOLLOW:-} != 1 ]] || options=(-F)
  exec tail -n "$log_lines" "${options[@]}" "$log"
}

process_reset() {
  [[ -d $data ]] || die "there is nothing to delete: $data does not exist"
  confirm_reset "$data ($(size_of "$data"))"
  process_down
  rm -rf "$data"
  rm -f "$log" "$log.1"
  echo "deleted $data"
}
