# The image of the disk tools: they make the disks below a node's volumes, and cut their power.
# shellcheck shell=bash disable=SC2034,SC2153

DISK_PACKAGES=e2fsprogs,xfsprogs
DISK_JSON=null

disk_recipe() {
  fingerprint "$(tree_recipe "$DISK_PACKAGES" "$WITHOUT_PERL")" "$CI"/lab/disk/* "$CI"/lib/{disk,image,sbom}.sh
}

# Sets DISK_JSON, the entry for lab.json.
disk_image() {
  local recipe image
  recipe=$(disk_recipe)
  image=steadfast.local/disk-tools:$recipe
  # A machine that pulls everything else may lack the tools to build an image. Its runs leave out power cuts.
  if [ ! -d "$CACHE/disk-tools-$recipe" ] && ! command -v mmdebstrap apt-get > /dev/null; then
    RESULT="not built, because mmdebstrap is missing: runs leave out power cuts"
    return
  fi
  cached disk-tools "$recipe" build_disk_tools "$image"
  in_engine "$image" || docker load --input "$MADE/image.tar"
  DISK_JSON=$(jq -n --arg image "$image" '{image: $image}')
}

build_disk_tools() { # DIRECTORY IMAGE
  local tree=$SCRATCH/disk-tools
  debian_tree "$1" "$DEBIAN" "$DISK_PACKAGES" --customize-hook="$WITHOUT_PERL"
  mkdir -p "$tree"/usr/local/{bin,share} "$tree-image"
  install -m 755 "$CI/lab/disk/disk-tools" "$tree/usr/local/bin/"
  install -m 644 "$CI/lab/disk/steadfast-disk.service" "$tree/usr/local/share/"
  layer "$tree.tar" "$tree"
  add_image "$tree-image" "$2" '{"Entrypoint": ["disk-tools"], "Labels": {"steadfast.recipe": "disk-tools"}}' \
    "$1/tree.tar" "$tree.tar"
  archive_images "$tree-image" "$1/image.tar"
  debian_parts "$1/tree.tar" "$DEBIAN" | sbom "$2" "$1/image.spdx.json"
  rm "$1/tree.tar"
}
