# The witness image: one program and nothing else, for pods that observe from inside the cluster.
# shellcheck shell=bash disable=SC2034

# Prints everything that goes into the program. While it stays the same, the image is reused.
witness_sources() {
  (cd "$CI/.." && rustc -vV && cat Cargo.toml Cargo.lock .cargo/config.toml &&
    find crates/witness crates/model -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

# Sets WITNESS_JSON, the entry for lab.json.
witness_image() {
  local target id image
  target=$(cd "$CI/.." && rustc -vV | sed -n 's/^host: //p')
  id=$(witness_sources | sha256sum | cut -c1-12)
  image=steadfast.local/witness:$id
  if [ -f "$CACHE/witness/$id.tar" ]; then
    touch "$CACHE/witness/$id.tar"
    RESULT=cached
  else
    build_witness "$target" "$image" "$SCRATCH/$id.tar"
    docker load --input "$SCRATCH/$id.tar"
    docker run --rm --label "steadfast.setup=$RUN" "$image" --version
    mkdir -p "$CACHE/witness"
    mv "$SCRATCH/$id.tar" "$CACHE/witness/"
    RESULT=built
    forget_old_witnesses
  fi
  [ -s "$CACHE/witness/$id.spdx.json" ] || cargo_parts "$target" | sbom "$image" "$CACHE/witness/$id.spdx.json"
  WITNESS_JSON=$(jq -n --arg image "$image" --arg archive "$CACHE/witness/$id.tar" '{image: $image, archive: $archive}')
}

build_witness() { # TARGET IMAGE ARCHIVE
  local target_directory program tree=$SCRATCH/witness
  need readelf=binutils
  REMEDY="the project does not compile: see the log above"
  # Only .cargo/config.toml may set flags: it makes the program static, because the image has no C library.
  (cd "$CI/.." && env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET \
    cargo build --locked --package steadfast-witness --profile witness)
  REMEDY=""
  target_directory=$(cd "$CI/.." && cargo metadata --locked --no-deps --format-version 1 | jq -r .target_directory)
  program=$target_directory/$1/witness/steadfast-witness
  [[ $(readelf --program-headers "$program") != *INTERP* ]] || fail "$program is not static" \
    "let nothing take +crt-static of .cargo/config.toml away: neither rustflags in ~/.cargo/config.toml nor CARGO_TARGET_*_RUSTFLAGS"
  mkdir -p "$tree" "$SCRATCH/witness-image"
  # Sessions start the program by this name, also in a witness that an earlier version left in the cluster.
  install -m 755 "$program" "$tree/steadfast"
  layer "$SCRATCH/witness.tar" "$tree"
  add_image "$SCRATCH/witness-image" "$2" '{"Entrypoint": ["/steadfast"], "Labels": {"steadfast.recipe": "witness"}}' "$SCRATCH/witness.tar"
  archive_images "$SCRATCH/witness-image" "$3"
}

# Keeps the newest two: a run that started earlier may still use the previous one.
forget_old_witnesses() {
  local archive
  find "$CACHE/witness" -name '*.tar' -printf '%T@ %f\n' | sort -rn | tail -n +3 | while read -r _ archive; do
    rm -f "$CACHE/witness/${archive%.tar}".*
    docker rmi "steadfast.local/witness:${archive%.tar}" || true
  done
}
