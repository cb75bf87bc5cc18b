# The witness: the project's own program in an image that holds nothing else, for pods that observe from inside.
# shellcheck shell=bash disable=SC2034

# WITNESS_JSON is what lab.json says about it.
witness_image() {
  local target target_directory tree=$SCRATCH/witness variable id image
  target=$(uname -m)-unknown-linux-gnu
  command -v cargo > /dev/null || fail "cargo is not installed" "install Rust with rustup (rustup.rs); rust-version in Cargo.toml says which"
  need strip=binutils
  REMEDY="the project does not compile: see the log above"
  variable=CARGO_TARGET_$(tr a-z- A-Z_ <<< "$target")_RUSTFLAGS
  # Static, because the image has no C library.
  (cd "$CI/.." && env "$variable=-C target-feature=+crt-static" cargo build --locked --bin steadfast --target "$target")
  REMEDY=""
  target_directory=$(cd "$CI/.." && cargo metadata --locked --no-deps --format-version 1 | jq -r .target_directory)
  mkdir -p "$tree"
  strip -o "$tree/steadfast" "$target_directory/$target/debug/steadfast"
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
    docker run --rm --label "steadfast.setup=$$" "$image" --version
    mkdir -p "$CACHE/witness"
    mv "$SCRATCH/$id.tar" "$CACHE/witness/"
    RESULT=built
    forget_old_witnesses
  fi
  WITNESS_JSON=$(jq -n --arg image "$image" --arg archive "$CACHE/witness/$id.tar" '{image: $image, archive: $archive}')
}

# The newest two stay: a run that began before this one may still use the one before.
forget_old_witnesses() {
  local archive
  find "$CACHE/witness" -name '*.tar' -printf '%T@ %f\n' | sort -rn | tail -n +3 | while read -r _ archive; do
    rm -f "$CACHE/witness/$archive"
    docker rmi "steadfast.local/witness:${archive%.tar}" || true
  done
}
