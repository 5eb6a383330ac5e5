# shellcheck shell=bash disable=SC2034,SC2154  # shares its variables with milvus.sh
# Milvus 3 in containers. Sourced by milvus.sh.

docker_answers() {
  command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1
}

compose() {
  # One port above, so that two instances do not want the same one; 9091 for the usual port.
  local metrics=9091
  ((port == 19530)) || metrics=$((port < 65535 ? port + 1 : port - 1))
  MILVUS_PORT=$port MILVUS_METRICS_PORT=${MILVUS_METRICS_PORT:-$metrics} \
    docker compose --project-name "milvus-image-search$suffix" --file "$here/docker-compose.yml" "$@"
}

docker_required() {
  command -v docker >/dev/null ||
    die "ENGINE=docker needs Docker, and PATH has no docker: install Docker Engine and its compose plugin, or use ENGINE=lite"
  timeout 10 docker info >/dev/null 2>&1 ||
    die "Docker's engine does not answer: start it, and check that \`docker info\` works for this user, or use ENGINE=lite"
  docker compose version >/dev/null 2>&1 ||
    die "Docker has no compose plugin: install it (docker-compose-plugin), or use ENGINE=lite"
}

docker_image_version() { sed -n 's/.* milvusdb\/milvus:v\([0-9.]*\)@.*/\1/p' "$here/docker-compose.yml"; }

docker_container() { compose ps --quiet milvus; }

docker_healthy() {
  local container
  container=$(docker_container)
  [[ -n $container && $(docker inspect --format '{{.State.Health.Status}}' "$container") == healthy ]]
}

docker_install() {
  docker_required
  compose pull >&2
}

docker_up() {
  docker_required
  local failure
  if ! docker_healthy; then
    [[ -n $(docker_container) ]] || require_free_port
    say "starting milvus (docker) on port $port; the first time its images are downloaded ..."
    compose up --detach >&2 || die "docker compose could not start milvus: its own message is above"
    if ! wait_until "$wait_s" $$ docker_healthy; then
      say "the end of its log:"
      compose logs --tail 20 milvus >&2 || true
      die "milvus (docker) did not start: $failure. \`ENGINE=docker deploy/milvus.sh logs\` shows more, \`down\` stops it"
    fi
  fi
  report_up "$(docker_image_version)"
}

docker_down() {
  docker_required
  compose down >&2
  echo "milvus (docker) is down; its data stay in the volumes of project milvus-image-search$suffix"
}

docker_status() {
  docker_required
  local container version size
  container=$(docker_container)
  if [[ -z $container ]]; then
    echo "milvus (docker) is not running on port $port"
    return 1
  fi
  if ! docker_healthy; then
    echo "milvus (docker) runs as container ${container:0:12} but is not healthy; \`ENGINE=docker deploy/milvus.sh logs\` shows why"
    return 1
  fi
  version=$(probe) || version=$(docker_image_version)
  size=$(compose exec -T minio du -sh /data 2>/dev/null | cut -f1) || size=
  printf '%-10s %s\n' engine docker address "http://127.0.0.1:$port" version "$version" \
    container "${container:0:12}" data "volumes of project milvus-image-search$suffix (${size:-size unknown})"
}

docker_logs() {
  docker_required
  local options=()
  [[ ${FOLLOW:-} != 1 ]] || options=(--follow)
  compose logs --tail "$log_lines" "${options[@]}" milvus
}

docker_reset() {
  docker_required
  confirm_reset "the volumes of project milvus-image-search$suffix"
  compose down --volumes >&2
  echo "deleted the volumes of project milvus-image-search$suffix"
}
