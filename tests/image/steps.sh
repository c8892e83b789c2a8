# Runs the steps of a stage; in a mount namespace of its own, so that nothing of it stays mounted.
#   $1  the disk with the layers (an ext4 image: layers cannot lie on the file system that they cover)
#   $2  the folder with steps/NUMBER/{key,directory,text or files}, where logs and results are left
#   $3… the files of the finished stage that are wanted
set -eu
disk=$1 out=$2
shift 2
mnt=$out/mnt
mkdir -p "$mnt"
mount -o loop "$disk" "$mnt"

below=/
kept=" lost+found "
for step in "$out"/steps/*; do
  key=$(cat "$step/key")
  layer=$mnt/$key
  kept="$kept$key "
  if [ ! -e "$layer/done" ]; then
    rm -rf "$layer"
    mkdir -p "$layer/files" "$layer/work" "$layer/root"
    : > "$layer/log"
    if [ -e "$step/text" ]; then
      mount -t overlay overlay -o "lowerdir=$below,upperdir=$layer/files,workdir=$layer/work" "$layer/root"
      mount --rbind /dev "$layer/root/dev"
      mount -t proc proc "$layer/root/proc"
      code=0
      # shellcheck disable=SC2016 # the inner shell expands
      chroot "$layer/root" /bin/sh -c 'mkdir -p "$1" && cd "$1" && exec /bin/sh -c "$2"' \
        step "$(cat "$step/directory")" "$(cat "$step/text")" > "$step/log" 2>&1 || code=$?
      umount --recursive --lazy "$layer/root"
      [ "$code" = 0 ] || exit "$code"
      cp "$step/log" "$layer/log"
    else
      cp -a "$step/files/." "$layer/files/"
    fi
    touch "$layer/done"
  fi
  cp "$layer/log" "$step/log"
  below=$layer/files:$below
done

# Layers of other Dockerfiles and sources are not kept.
for layer in "$mnt"/*; do
  case "$kept" in *" ${layer##*/} "*) ;; *) rm -rf "$layer" ;; esac
done

mkdir -p "$out/stage" "$out/files"
mount -t overlay overlay -o "lowerdir=$below" "$out/stage"
for file; do
  mkdir -p "$out/files${file%/*}"
  cp "$out/stage$file" "$out/files$file"
done
