# Writes what each built image consists of, as SPDX 2.3 beside the image (https://spdx.github.io/spdx-spec/v2.3/). apt, go and
# cargo know the parts. Here they are lines of tab-separated fields: the package URL
# (https://github.com/package-url/purl-spec), name, version, SHA-256 or nothing, licence or nothing.
# shellcheck shell=bash disable=SC2016

# sbom IMAGE FILE reads parts from standard input and writes the file.
sbom() {
  jq --raw-input --null-input --arg image "$1" --arg uuid "$(< /proc/sys/kernel/random/uuid)" --arg created "$(date -u +%FT%TZ)" '
    def package: {downloadLocation: "NOASSERTION", filesAnalyzed: false} + .;
    [inputs / "\t"] | unique_by(.[0]) | to_entries | map(.value as [$purl, $name, $version, $sha256, $licence] | {
      SPDXID: "SPDXRef-\(.key + 1)", name: $name, versionInfo: $version,
      externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: $purl}]
    } + if $sha256 == "" then {} else {checksums: [{algorithm: "SHA256", checksumValue: $sha256}]} end
      + if $licence == "" then {} else {licenseDeclared: $licence} end | package) | {
      spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", name: $image,
      documentNamespace: "urn:uuid:\($uuid)", creationInfo: {created: $created, creators: ["Tool: steadfast-ci-setup"]},
      packages: ([{SPDXID: "SPDXRef-image", name: $image, primaryPackagePurpose: "CONTAINER"} | package] + .),
      relationships: ([{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-image"}]
        + map({spdxElementId: "SPDXRef-image", relationshipType: "CONTAINS", relatedSpdxElement: .SPDXID}))
    }' > "$SCRATCH/sbom"
  mv "$SCRATCH/sbom" "$2"
}

# debian_packages TAR prints name, version, architecture and SHA-256 of every package that is installed in a tree.
debian_packages() { tar --extract --to-stdout --file "$1" ./var/lib/dpkg/sha256; }

debian_parts() { # TAR RELEASE
  debian_packages "$1" | jq --raw-input --raw-output --arg release "$2" '(. / " ") as [$name, $version, $arch, $sha256] |
    ["pkg:deb/debian/\($name)@\($version | @uri)?arch=\($arch)&distro=\($release)", $name, $version, $sha256, ""] | join("\t")'
}

# go_parts PROGRAM... prints the modules of these programs and the Go version that compiled them. ci/lab has their go.sum files.
go_parts() {
  go version -m "$@" | awk -v OFS='\t' '
    function out(name, version) {if (name != "") print "pkg:golang/" name "@" version, name, version, "", ""}
    NF == 2 && $1 ~ /:$/ && $2 ~ /^go[0-9]/ {out(name, version); name = ""; out("stdlib", substr($2, 3))}
    $1 == "dep" || $1 == "mod" && $3 ~ /^v/ {out(name, version); name = $2; version = $3}
    $1 == "=>" {name = $2; version = $3}
    END {out(name, version)}'
}

# cargo_parts TARGET prints the crates in the witness program, and what a static program takes from the machine that compiled
# it: Rust's standard library and libc. The sums come from Cargo.lock, which cargo verifies.
cargo_parts() {
  local version
  version=$(cd "$CI/.." && rustc --version | cut -d' ' -f2)
  printf 'pkg:generic/rust@%s\trust\t%s\t\tMIT OR Apache-2.0\n' "$version" "$version"
  if [[ $1 == *-gnu ]] && version=$(dpkg-query --show --showformat='${Version}' libc6-dev 2> /dev/null); then
    printf 'pkg:deb/debian/libc6-dev@%s\tlibc6-dev\t%s\t\t\n' "$version" "$version"
  fi
  (cd "$CI/.." && cargo tree --locked --package steadfast-witness --edges normal --target "$1" --prefix none --no-dedupe --format '{p}|{l}' | sort -u) |
    awk -v OFS='\t' '
      NR == FNR {
        if ($1 == "name") name = $3
        if ($1 == "version") version = $3
        if ($1 == "checksum") {gsub(/"/, ""); sum[name, "v" version] = $3}
        gsub(/"/, "", name); gsub(/"/, "", version)
        next
      }
      {split($0, half, "|"); split(half[1], word, " "); gsub("/", " OR ", half[2])
       print "pkg:cargo/" word[1] "@" substr(word[2], 2), word[1], substr(word[2], 2), sum[word[1], word[2]], half[2]}' \
      "$CI/../Cargo.lock" -
}
