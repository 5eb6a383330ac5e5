# shellcheck shell=bash disable=SC2034,SC2154  # shares its variables with milvus.sh
# Milvus 2.3.5 standalone, the newest real Milvus that comes as a plain program for Linux: Go and C++,
# embedded etcd, files on the local disk. For tests; docker is for everything else. Sourced by milvus.sh.
#
# It listens on every network interface, on $port and on the inner ports: 2.3.5 has no setting for that.
# Only etcd is bound to 127.0.0.1 (on free ports: nothing but Milvus itself talks to it).

standalone_version=2.3.5
# Its parts wait for each other for ever once it holds data; what it has acknowledged is on disk by then.
standalone_stop_s=5
standalone_wheel_sha256=69515a0630ce29fd10e101fa442afea8ca1387b93a456cd9bd41fdf3deb93d04
standalone_parts=(metrics proxy rootCoord queryCoord dataCoord queryNode dataNode indexNode indexCoord)

standalone_install() {
  local target=$home/standalone-$standalone_version scratch wheel python
  [[ ! -x $target/bin/milvus ]] || return 0
  [[ $(uname -sm) == 'Linux x86_64' ]] ||
    die "Milvus $standalone_version exists as a program for Linux on x86_64 only, and this is $(uname -sm): use ENGINE=lite or ENGINE=docker"
  python=$(find_python 9) || die_without_python 'the download of Milvus' 9
  mkdir -p "$home"
  scratch=$(mktemp -d "$home/tmp.XXXXXX")
  # shellcheck disable=SC2064  # the folder's name now, not at exit
  trap "rm -rf '$scratch'" EXIT
  say "downloading Milvus $standalone_version (58 MB) ..."
  wheel=$(fetch_wheel "$scratch" manylinux2014_x86_64 "milvus==$standalone_version" "$standalone_wheel_sha256")
  say "unpacking it into $target (250 MB) ..."
  mkdir -p "$scratch/new/bin"
  "$python" - "$wheel" "$scratch/new/bin" <<'PYTHON' || die "unpacking Milvus failed"
import lzma, os, shutil, sys, zipfile

wheel, target = zipfile.ZipFile(sys.argv[1]), sys.argv[2]
for member in wheel.namelist():
    if member.startswith("milvus/data/bin/") and member.endswith(".lzma"):
        path = os.path.join(target, os.path.basename(member)[: -len(".lzma")])
        with lzma.open(wheel.open(member)) as source, open(path, "wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
        os.chmod(path, 0o755)
PYTHON
  mv "$scratch/new" "$target"
}

# standalone_configure check|write|read: `write` writes the configuration; `check` refuses a running
# server that has another one; `read` takes it as it is.
standalone_configure() {
  local file=$data/configs/milvus.yaml wanted part
  if [[ $1 == read ]]; then
    ! grep -q '^common:.*tlsMode: 1' "$file" || scheme=https
    inner=$(sed -n 's/^# inner ports from \([0-9]*\)$/\1/p' "$file")
    return
  fi

  local authorization=false tls=0 tls_dir=${MILVUS_TLS_DIR:-}
  [[ -z ${MILVUS_AUTH:-} || $MILVUS_AUTH == 0 ]] || authorization=true
  if [[ -n $tls_dir ]]; then
    [[ $tls_dir == /* ]] || tls_dir=$PWD/$tls_dir
    for part in server.pem server.key ca.pem; do
      [[ -r $tls_dir/$part ]] || die "MILVUS_TLS_DIR=$tls_dir has no readable $part"
    done
    tls=1 scheme=https
  fi
  # Milvus's parts talk to each other by gRPC, on ports of their own: ten to a MILVUS_PORT.
  inner=${MILVUS_INNER_PORT:-$((21000 + port % 1000 * 10))}

  wanted=$(standalone_yaml)
  if [[ $1 == check ]]; then
    [[ $(cat "$file") == "$wanted" ]] ||
      die "milvus (standalone) runs on port $port with other settings of MILVUS_AUTH, MILVUS_TLS_DIR or MILVUS_INNER_PORT: stop it first (down)"
    return
  fi
  local used
  for ((used = inner; used < inner + ${#standalone_parts[@]}; used++)); do
    if ((used == port)) || port_open "$used"; then
      die "port $used, one of those Milvus needs between its own parts, is taken: choose another range, e.g. MILVUS_INNER_PORT=$((inner + 500)), or another MILVUS_PORT"
    fi
  done
  [[ $authorization == true ]] ||
    say "note: Milvus $standalone_version listens on every network interface, with no login (MILVUS_AUTH=1 asks for one)"
  mkdir -p "$data/configs"
  printf '%s\n' "$wanted" >"$file"
  # Its C++ half stops without this file; warnings and worse, to the log.
  printf -- '--logtostderr=true\n--minloglevel=1\n' >"$data/configs/glog.conf"
  # Without this file etcd takes ports 2379 and 2380, which only one instance can have.
  printf 'listen-client-urls: http://127.0.0.1:0\nlisten-peer-urls: http://127.0.0.1:0\nlog-level: warn\n' \
    >"$data/configs/etcd.yaml"
}

# session.ttl: for how many seconds a start holds on to the parts of the server before it, if that one was
# killed. With the usual 30 the first search after a restart waits about a minute; with 10, about 10 s.
standalone_yaml() {
  local i
  cat <<YAML
# Written by milvus.sh at every start.
# inner ports from $inner
etcd:
  use: {embed: true}
  data: {dir: "$data/etcd"}
  config: {path: "$data/configs/etcd.yaml"}
  log: {level: warn}
mq: {type: rocksmq}
rocksmq: {path: "$data/rocksmq"}
localStorage: {path: "$data/storage"}
common: {storageType: local, session: {ttl: 10}, security: {authorizationEnabled: $authorization, tlsMode: $tls}}
tls: {serverPemPath: "$tls_dir/server.pem", serverKeyPath: "$tls_dir/server.key", caPemPath: "$tls_dir/ca.pem"}
log: {level: warn}
proxy: {ip: 127.0.0.1, port: $port, internalPort: $((inner + 1))}
YAML
  for ((i = 2; i < ${#standalone_parts[@]}; i++)); do
    echo "${standalone_parts[i]}: {ip: 127.0.0.1, port: $((inner + i))}"
  done
}

standalone_mark() { printf '%s' "$home/standalone-$standalone_version/bin/milvus run standalone -alias $port "; }

standalone_command() {
  local bin=$home/standalone-$standalone_version/bin
  # The alias names Milvus's own lock, /run/milvus/standalone-ALIAS.pid (/tmp/milvus where that cannot be
  # written): with it, instances on different ports do not shut each other out.
  program=("$bin/milvus" run standalone -alias "$port")
  environment=("LD_LIBRARY_PATH=$bin" "MILVUSCONF=$data/configs" DEPLOY_MODE=STANDALONE "METRICS_PORT=$inner")
}

# Its proxy answers before its other parts do; /healthz is about all of them.
standalone_ready() {
  local health
  port_open "$inner" || return 1
  health=$(
    exec 3<>"/dev/tcp/127.0.0.1/$inner"
    printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
    timeout 3 cat <&3
  ) || return 1
  [[ $health == *$'\r\n\r\nOK'* ]] || return 1
  local code=0
  probe || code=$?
  # 3: it answers, and wants a password other than the first one.
  ((code == 0 || code == 3))
}
