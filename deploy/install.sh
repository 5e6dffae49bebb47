#!/bin/sh
# Installs, upgrades or removes yolo-edge from this checkout. Safe to repeat: the second run changes and restarts nothing.
# Invariant: the running version is replaced in one rename; settings and models of the device are never touched.
#
#   deploy/install.sh [--prefix DIR] [--no-service] [--uninstall [--purge]]
#
#   --prefix DIR   put everything below DIR (for packages and trials); no user is made, no service is started
#   --no-service   do not enable or start the systemd service
#   --uninstall    remove the program and the service; --purge: settings and models too
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
prefix=''
service=yes
action=install
purge=no
changed=no

fail() {
  printf 'install: %s\n' "$1" >&2
  exit "${2:-2}"
}

while [ $# -gt 0 ]; do
  case $1 in
    --prefix) [ $# -gt 1 ] || fail '--prefix: expected a folder'; prefix=$2; shift ;;
    --prefix=*) prefix=${1#--prefix=} ;;
    --no-service) service=no ;;
    --uninstall) action=uninstall ;;
    --purge) purge=yes ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done

case $prefix in
  '' | /*) ;;
  *) mkdir -p "$prefix"; prefix=$(CDPATH='' cd -- "$prefix" && pwd) ;;
esac
[ -z "$prefix" ] || service=no
[ -n "$prefix" ] || [ "$(id -u)" -eq 0 ] || fail 'must run as root (or give --prefix DIR)' 77

library=$prefix/usr/lib/yolo-edge
unit=$prefix/lib/systemd/system/yolo-edge.service
sysusers=$prefix/usr/lib/sysusers.d/yolo-edge.conf
settings=$prefix/etc/yolo-edge
command=$prefix/usr/bin/yolo-edge

systemd_runs() { [ "$service" = yes ] && [ -d /run/systemd/system ]; }

uninstall() {
  if systemd_runs; then
    systemctl disable --now yolo-edge.service 2>/dev/null || true
  fi
  rm -rf "$library" "$library.new" "$library.old"
  rm -f "$unit" "$sysusers" "$command"
  if systemd_runs; then systemctl daemon-reload; fi
  if [ "$purge" = yes ]; then rm -rf "$settings" "$prefix/var/lib/yolo-edge" "$prefix/var/cache/yolo-edge"; fi
  printf 'yolo-edge is removed%s\n' "$([ "$purge" = yes ] || printf '; settings and models are kept')"
}

check_node() {
  command -v node >/dev/null 2>&1 || fail 'node is not installed: expected Node.js 20.9 or newer' 5
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 9) ? 0 : 1)' ||
    fail "node $(node --version) is too old: expected 20.9 or newer" 5
}

install_program() {
  node "$root/deploy/setup.mjs"
  rm -rf "$library.new"
  mkdir -p "$library.new/bin" "$library.new/dist"
  cp -R "$root/dist/src" "$library.new/dist/src"
  cp -R "$root/config" "$root/deploy" "$root/lib" "$root/systemd" "$library.new/"
  cp "$root/package.json" "$root/package-lock.json" "$root/.npmrc" "$library.new/"
  for page in README.md LICENSE; do [ ! -f "$root/$page" ] || cp "$root/$page" "$library.new/"; done
  (cd "$library.new" && npm ci --omit=dev --no-audit --no-fund >/dev/null)
  # The inference library ships every platform in one package: only this one's is kept.
  node "$root/deploy/keep-platform.mjs" "$library.new"
  # Found beside itself, so that the tree works wherever it lies.
  cat >"$library.new/bin/yolo-edge" <<'LAUNCHER'
#!/bin/sh
exec node --enable-source-maps "$(dirname -- "$(readlink -f -- "$0")")/../dist/src/cli/main.js" "$@"
LAUNCHER
  chmod 755 "$library.new/bin/yolo-edge"
  # npm writes down when it installed; nothing else differs between two runs.
  rm -f "$library.new/node_modules/.package-lock.json"
  if [ -d "$library" ] && diff -rq --no-dereference "$library" "$library.new" >/dev/null; then
    rm -rf "$library.new"
    return
  fi
  changed=yes
  rm -rf "$library.old"
  [ ! -d "$library" ] || mv "$library" "$library.old"
  mv "$library.new" "$library"
  rm -rf "$library.old"
}

# Copies a file unless the same bytes are there.
place() {
  cmp -s "$1" "$2" && return
  changed=yes
  cp "$1" "$2"
}

install_files() {
  mkdir -p "$(dirname "$unit")" "$(dirname "$sysusers")" "$settings/keys" "$(dirname "$command")"
  place "$root/systemd/yolo-edge.service" "$unit"
  place "$root/systemd/yolo-edge.sysusers" "$sysusers"
  [ "$(readlink "$command" || true)" = ../lib/yolo-edge/bin/yolo-edge ] ||
    ln -sf ../lib/yolo-edge/bin/yolo-edge "$command"
  [ -f "$settings/device.yaml" ] || cp "$root/config/device.example.yaml" "$settings/device.yaml"
}

start_service() {
  if command -v systemd-sysusers >/dev/null 2>&1; then
    systemd-sysusers "$sysusers"
  elif ! id yolo-edge >/dev/null 2>&1; then
    useradd --system --home-dir /var/lib/yolo-edge --groups video yolo-edge
  fi
  if systemd_runs; then
    systemctl is-enabled --quiet yolo-edge.service || changed=yes
    [ "$changed" = yes ] || return 0
    systemctl daemon-reload
    systemctl enable yolo-edge.service
    systemctl restart yolo-edge.service
  fi
}

if [ "$action" = uninstall ]; then
  uninstall
  exit 0
fi
check_node
install_program
install_files
[ -n "$prefix" ] || start_service
if [ "$changed" = no ]; then
  printf 'yolo-edge is installed in %s already: nothing was changed\n' "$library"
else
  printf 'yolo-edge is installed in %s; settings: %s\n' "$library" "$settings/device.yaml"
fi
