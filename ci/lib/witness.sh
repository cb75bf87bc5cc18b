# The witness: the project's own program in an image that holds nothing else, for pods that observe from inside.
# shellcheck shell=bash disable=SC2034

# WITNESS_JSON is what lab.json says about it.
witness_image() {
  local target target_directory program tree=$SCRATCH/witness id image
  need strip=binutils readelf=binutils
  REMEDY="the project does not compile: see the log above"
  # Nothing but what .cargo/config.toml says: it makes the program static, which an image without a C library needs, and
  # other flags would compile everything once for this and once more for the suites.
  (cd "$CI/.." && env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET cargo build --locked --bin steadfast)
  REMEDY=""
  target=$(cd "$CI/.." && rustc -vV | sed -n 's/^host: //p')
  target_directory=$(cd "$CI/.." && cargo metadata --locked --no-deps --format-version 1 | jq -r .target_directory)
  program=$target_directory/$target/debug/steadfast
  [[ $(readelf --program-headers "$program") != *INTERP* ]] || fail "$program is not static" \
    "let nothing take +crt-static of .cargo/config.toml away: neither rustflags in ~/.cargo/config.toml nor CARGO_TARGET_*_RUSTFLAGS"
  mkdir -p "$tree"
  strip -o "$tree/steadfast" "$program"
  id=$(sha256sum "$tree/steadfast" | cut -c1-12)
  image=steadfast.local/witness:$id
  if [ -f "$CACHE/witness/$id.tar" ]; then
    touch "$CACHE/witness/$id.tar"
    RESULT=cached
  else
    chmod 755 "$tree/steadfast"
    layer "$SCRATCH/witness.tar" "$tree"
    mkdir "$SCRATCH/witness-image"
    add_image "$SCRATCH/witness-image" "$image" '{"Entrypoint": ["/steadfast"], "Labels": {"steadfast.recipe": "witness"}}' "$SCRATCH/witness.tar"
    archive_images "$SCRATCH/witness-image" "$SCRATCH/$id.tar"
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

# The newest two stay: a run that began before this one may still use the one before.
forget_old_witnesses() {
  local archive
  find "$CACHE/witness" -name '*.tar' -printf '%T@ %f\n' | sort -rn | tail -n +3 | while read -r _ archive; do
    rm -f "$CACHE/witness/${archive%.tar}".*
    docker rmi "steadfast.local/witness:${archive%.tar}" || true
  done
}
