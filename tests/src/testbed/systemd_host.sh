# Starts systemd as process 1 of a host of the testbed: a root of its own over this machine's programs, its
# own processes, name and cgroups, in a mount namespace that ends with it. Run in the host's network.
# Arguments: the host's folder, the name of its cgroups, `boot` or `clean`.
set -eu
dir=$1 name=$2 what=$3
here="$dir/systemd.sh"
mount --make-rprivate /

if [ "$what" = inner ]; then
  root="$dir/root"
  mount --bind "$root" "$root"
  mount --bind /usr "$root/usr"
  mount -o remount,bind,ro "$root/usr"
  mount --bind "$dir/local" "$root/usr/local"
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  # Of the new cgroup namespace: what the host sees begins at its own.
  if [ -e "$dir/cg/unified" ]; then
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  else
    for one in cpu cpuacct memory pids; do
      [ -e "$dir/cg/$one/$name" ] || continue
      mkdir "$root/sys/fs/cgroup/$one"
      mount -t cgroup -o "$one" cgroup "$root/sys/fs/cgroup/$one"
    done
    mkdir "$root/sys/fs/cgroup/systemd"
    mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
  fi
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for one in null zero full random urandom tty; do
    : >"$root/dev/$one"
    mount --bind "/dev/$one" "$root/dev/$one"
  done
  mkdir "$root/dev/shm" "$root/dev/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  cd "$root"
  mkdir run/old
  pivot_root . run/old
  cd /
  umount -l /run/old
  rmdir /run/old
  hostname "$(cat /etc/hostname)"
  exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --log-target=console --show-status=no </dev/null
fi

# The trees of cgroups as this machine has them, seen here alone.
mount -t tmpfs tmpfs "$dir/cg"
mkdir "$dir/cg/systemd"
if mount -t cgroup -o none,name=systemd cgroup "$dir/cg/systemd" 2>/dev/null; then
  for one in cpu cpuacct memory pids; do
    mkdir "$dir/cg/$one"
    mount -t cgroup -o "$one" cgroup "$dir/cg/$one" 2>/dev/null || rmdir "$dir/cg/$one"
  done
else
  mv "$dir/cg/systemd" "$dir/cg/unified"
  mount -t cgroup2 cgroup2 "$dir/cg/unified"
fi
if [ "$what" = clean ]; then
  for tree in "$dir"/cg/*; do
    [ -d "$tree/$name" ] && find "$tree/$name" -depth -type d -exec rmdir {} +
  done
  exit 0
fi
for tree in "$dir"/cg/*; do
  mkdir -p "$tree/$name"
  echo $$ >"$tree/$name/cgroup.procs"
done
exec unshare --mount --uts --ipc --pid --cgroup --fork --kill-child sh "$here" "$dir" "$name" inner
