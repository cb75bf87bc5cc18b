# Builds images without a builder. Layers are tar files, and an image is written in the format of docker save. Any engine and a
# node's containerd can load it, and images that share a layer store it once.
# shellcheck shell=bash disable=SC2034

# debian_tree DIRECTORY RELEASE PACKAGES [OPTION...] makes DIRECTORY/tree.tar: a Debian with these packages and a list of
# everything that is installed.
debian_tree() {
  need_mmdebstrap
  REMEDY="see that the Debian mirror answers (apt-get update) and that mmdebstrap may make a chroot here (root, or user namespaces)"
  mmdebstrap --variant=minbase --include="$3" --customize-hook="$CI/lab/debian/list-packages" "${@:4}" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$2" "$1/tree.tar"
  REMEDY=""
}

need_mmdebstrap() { need mmdebstrap=mmdebstrap /usr/share/keyrings/debian-archive-keyring.gpg=debian-archive-keyring; }

# Removes Perl. Packages bring it for scripts that are not used here.
# shellcheck disable=SC2016 # mmdebstrap's shell expands it.
WITHOUT_PERL='rm -rf "$1"/usr/bin/perl* "$1"/usr/share/perl "$1"/usr/lib/*/perl "$1"/usr/lib/*/libperl.so*'

# layer TAR DIRECTORY packs a directory into a tar file. The same content gives the same file.
layer() {
  tar --create --file "$1" --directory "$2" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
}

# add_image DIRECTORY NAME CONFIGURATION LAYER... adds an image to a directory, from which archive_images makes one file.
# CONFIGURATION is the image's configuration as JSON: Entrypoint, Env and so on.
add_image() {
  local directory=$1 name=$2 configuration=$3 tar digest layers=() json
  shift 3
  for tar; do
    digest=$(sha256sum "$tar" | cut -d' ' -f1)
    [ -f "$directory/$digest.tar" ] || ln "$tar" "$directory/$digest.tar"
    layers+=("$digest")
  done
  json=$(jq -cn --argjson configuration "$configuration" --arg arch "$(go_arch)" '
    {architecture: $arch, os: "linux", created: "1970-01-01T00:00:00Z", history: [$ARGS.positional[] | {created_by: "ci/setup"}],
     config: ({Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]} + $configuration),
     rootfs: {type: "layers", diff_ids: [$ARGS.positional[] | "sha256:" + .]}}' --args "${layers[@]}")
  digest=$(printf %s "$json" | sha256sum | cut -d' ' -f1)
  printf %s "$json" > "$directory/$digest.json"
  jq -cn --arg config "$digest.json" --arg name "$name" \
    '{Config: $config, RepoTags: [$name], Layers: [$ARGS.positional[] | . + ".tar"]}' --args "${layers[@]}" \
    >> "$directory/images"
}

archive_images() { # DIRECTORY TAR
  jq -cs . "$1/images" > "$1/manifest.json"
  rm "$1/images"
  tar --create --file "$2" --directory "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner .
}

go_arch() { case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) uname -m ;; esac; }

in_engine() { docker image inspect "$1" > /dev/null 2>&1; }
