# The node images: pulled, or built from Debian packages and Go programs.
# shellcheck shell=bash disable=SC2034

NODE_PACKAGES=systemd,systemd-sysv,dbus,iproute2,iptables,nftables,runc,procps,kmod,mount,util-linux,ca-certificates
NODE_PACKAGES+=,conntrack,ethtool,socat,ebtables,jq,curl,containernetworking-plugins,e2fsprogs,dnsmasq-base,catatonit
POD_PACKAGES=iproute2,iptables

# Removes units that would touch the host's devices, or wait for things that a container does not have.
# shellcheck disable=SC2016 # mmdebstrap's shell expands it.
NODE_HOOK='cd "$1" && rm -f lib/systemd/system/multi-user.target.wants/* etc/systemd/system/*.wants/*
  lib/systemd/system/local-fs.target.wants/* lib/systemd/system/basic.target.wants/*
  lib/systemd/system/sockets.target.wants/*udev* lib/systemd/system/sockets.target.wants/*initctl*
  lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service'
NODE_HOOK=${NODE_HOOK//$'\n'/ }

# For each Kubernetes version, the node image and the digest by which it was pulled, for lab.json.
declare -A NODE_IMAGE=() NODE_DIGEST=()

coordinates() { awk -v version="$1" '$1 == version' <<< "$BUILDABLE_KUBERNETES"; }

# find_node_image VERSION takes the official image if the engine has it, or else one that was built before, or else the official
# image if it can be pulled. Otherwise it leaves NODE_IMAGE empty, and build_node_image builds one.
find_node_image() {
  local version=$1 official=kindest/node:v$1 built=steadfast.local/node:v$1 recipe
  if in_engine "$official"; then
    check_digest "$official"
    NODE_IMAGE[$version]=$official NODE_DIGEST[$version]=$DIGEST RESULT="found"
    return
  fi
  if [ -n "$(coordinates "$version")" ]; then
    recipe=$(node_recipe "$version")
    if [ "$(docker image inspect --format '{{index .Config.Labels "steadfast.recipe"}}' "$built" 2> /dev/null)" != "$recipe" ] &&
      [ -f "$CACHE/node-$version-$recipe/image.tar" ]; then
      docker load --input "$CACHE/node-$version-$recipe/image.tar"
      RESULT="loaded from the cache"
    else
      RESULT="cached"
    fi
    if [ "$(docker image inspect --format '{{index .Config.Labels "steadfast.recipe"}}' "$built" 2> /dev/null)" = "$recipe" ]; then
      NODE_IMAGE[$version]=$built
      return
    fi
  fi
  if pull "$official"; then
    check_digest "$official"
    NODE_IMAGE[$version]=$official NODE_DIGEST[$version]=$DIGEST RESULT="pulled, $DIGEST"
    return
  fi
  [ -n "$(coordinates "$version")" ] || fail "$official cannot be pulled, and ci/versions does not say how to build Kubernetes $version" \
    "name one of these versions:$(awk 'NF {printf " %s", $1}' <<< "$BUILDABLE_KUBERNETES"); or add it with ci/lab/kubernetes/pin"
  need_go tools/containerd kubernetes
  need_mmdebstrap
  RESULT="not to be pulled: to be built"
}

kubernetes_recipe() {
  fingerprint "$(coordinates "$1")" "$LOCAL_PATH_PROVISIONER" "$CI"/lab/kubernetes/{main.go,coredns/main.go} \
    "$CI/lab/kubernetes/v$1".{mod,sum}
}
containerd_recipe() { fingerprint "$CONTAINERD" "$CI"/lab/tools/containerd/go.*; }
tree_recipe() { fingerprint "$DEBIAN" "$@" "$CI/lab/debian/list-packages"; }
node_tree_recipe() { tree_recipe "$NODE_PACKAGES" "$NODE_HOOK"; }
pod_tree_recipe() { tree_recipe "$POD_PACKAGES" "$WITHOUT_PERL"; }
node_recipe() { # VERSION
  fingerprint "$(kubernetes_recipe "$1")" "$(containerd_recipe)" "$(node_tree_recipe)" "$(pod_tree_recipe)" \
    "$CI"/lab/node/* "$CI"/lib/{node,image,sbom}.sh
}

prepare_containerd() { cached containerd "$(containerd_recipe)" build_containerd; }
prepare_kubernetes() { # VERSION
  local coredns etcd row
  row=$(coordinates "$1")
  coredns=${row#*coredns=} etcd=${row#*etcd=}
  cached "kubernetes-$1" "$(kubernetes_recipe "$1")" build_kubernetes "$1" "${coredns%% *}" "${etcd%% *}"
}
prepare_node_tree() { cached node-tree "$(node_tree_recipe)" debian_tree "$DEBIAN" "$NODE_PACKAGES" --customize-hook="$NODE_HOOK"; }
prepare_pod_tree() { cached pod-tree "$(pod_tree_recipe)" debian_tree "$DEBIAN" "$POD_PACKAGES" --customize-hook="$WITHOUT_PERL"; }

build_node_image() { # VERSION
  local version=$1 recipe
  recipe=$(node_recipe "$version")
  cached "node-$version" "$recipe" assemble_node "$version" "$recipe"
  NODE_IMAGE[$version]=steadfast.local/node:v$version
}

# add_program NAME FILE DESTINATION ENTRYPOINT_AS_JSON adds an image that holds one static program.
add_program() {
  local tree
  tree=$(mktemp -d "$SCRATCH/tree.XXXXXX")
  mkdir -m 1777 "$tree/tmp"
  install -D -m 755 "$2" "$tree/$3"
  layer "$tree.tar" "$tree"
  add_image "$SCRATCH/inner" "$1" "{\"Entrypoint\": $4}" "$tree.tar"
}

# Makes the images for the node's own containerd, under the names that kubeadm asks for.
inner_images() { # VERSION
  local kubernetes name base tree=$SCRATCH/kube pod_tree
  kubernetes=$CACHE/kubernetes-$1-$(kubernetes_recipe "$1")
  pod_tree=$CACHE/pod-tree-$(pod_tree_recipe)/tree.tar
  mkdir -p "$SCRATCH/inner" "$tree/usr/local/bin" "$SCRATCH/podnet/usr/local/bin" "$SCRATCH/pause"
  mkdir -m 1777 "$tree/tmp"
  cp -a "$kubernetes"/kube* "$tree/usr/local/bin/"
  layer "$tree.tar" "$tree"
  install -m 755 "$CI/lab/node/podnet" "$SCRATCH/podnet/usr/local/bin/"
  layer "$SCRATCH/podnet.tar" "$SCRATCH/podnet"
  tar --extract --file "$CACHE/node-tree-$(node_tree_recipe)/tree.tar" --directory "$SCRATCH/pause" ./usr/bin/catatonit

  "$kubernetes/kubeadm" config images list --kubernetes-version "v$1" > "$SCRATCH/asked"
  while read -r name; do
    base=${name##*/}
    base=${base%%:*}
    case $base in
      kube-proxy) add_image "$SCRATCH/inner" "$name" '{"Entrypoint": ["kube-proxy"]}' "$tree.tar" "$pod_tree" ;;
      kube-*) add_image "$SCRATCH/inner" "$name" "{\"Entrypoint\": [\"$base\"]}" "$tree.tar" ;;
      etcd) add_program "$name" "$kubernetes/etcd" usr/local/bin/etcd '["etcd"]' ;;
      coredns) add_program "$name" "$kubernetes/coredns" coredns '["/coredns"]' ;;
      pause) add_program "$name" "$SCRATCH/pause/usr/bin/catatonit" pause '["/pause", "-P"]'; PAUSE=$name ;;
      *) fail "kubeadm $1 asks for $name, which the lab does not know" "add it to ci/lib/node.sh" ;;
    esac
  done < "$SCRATCH/asked"
  add_program "steadfast.local/local-path-provisioner:v$LOCAL_PATH_PROVISIONER" "$kubernetes/local-path-provisioner" \
    usr/local/bin/local-path-provisioner '["local-path-provisioner"]'
  add_image "$SCRATCH/inner" steadfast.local/podnet:lab '{"Entrypoint": ["podnet"]}' "$tree.tar" "$pod_tree" "$SCRATCH/podnet.tar"
  archive_images "$SCRATCH/inner" "$SCRATCH/inner.tar"
}

node_layer() { # VERSION TAR
  local tree=$SCRATCH/node name source=$CI/lab/node
  mkdir -p "$tree"/{kind/manifests,usr/bin,usr/local/bin,opt/cni,etc/containerd,etc/cni/net.d,etc/kubernetes/manifests} \
    "$tree"/etc/systemd/{system/multi-user.target.wants,journald.conf.d}
  cp "$CACHE/kubernetes-$1-$(kubernetes_recipe "$1")/kube" "$tree/usr/local/bin/"
  for name in kubelet kubeadm kubectl; do ln -s ../local/bin/kube "$tree/usr/bin/$name"; done
  cp "$CACHE/containerd-$(containerd_recipe)"/* "$tree/usr/local/bin/"
  install -m 755 "$source"/{entrypoint,prepare-kubelet-cgroup} "$tree/usr/local/bin/"
  install -m 644 "$source"/*.{service,slice} "$tree/etc/systemd/system/"
  for name in containerd kubelet node-dns; do
    ln -s "/etc/systemd/system/$name.service" "$tree/etc/systemd/system/multi-user.target.wants/"
  done
  ln -s /dev/null "$tree/etc/systemd/system/systemd-binfmt.service"
  # The kernel log belongs to the host, not to the node.
  printf '[Journal]\nReadKMsg=no\n' > "$tree/etc/systemd/journald.conf.d/node.conf"
  sed "s|@PAUSE@|$PAUSE|" "$source/containerd.toml" > "$tree/etc/containerd/config.toml"
  ln -s /usr/lib/cni "$tree/opt/cni/bin"
  cp "$source/default-cni.yaml" "$tree/kind/manifests/"
  sed "s|@LOCAL_PATH@|v$LOCAL_PATH_PROVISIONER|" "$source/default-storage.yaml" > "$tree/kind/manifests/default-storage.yaml"
  echo "v$1" > "$tree/kind/version"
  layer "$2" "$tree"
}

assemble_node() { # DIRECTORY VERSION RECIPE
  local image=steadfast.local/node:v$2 draft=steadfast.local/draft:$RUN container configuration
  # Left over from the previous version if this run builds several.
  rm -rf "$SCRATCH"/{inner,outer,kube,node,podnet,pause,tree.*}
  inner_images "$2"
  node_layer "$2" "$SCRATCH/node.tar"
  configuration=$(jq -cn --arg recipe "$3" '{Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=docker"],
    StopSignal: "SIGRTMIN+3", Labels: {"steadfast.recipe": $recipe}}')
  mkdir "$SCRATCH/outer"
  add_image "$SCRATCH/outer" "$draft" "$configuration" \
    "$CACHE/node-tree-$(node_tree_recipe)/tree.tar" "$SCRATCH/node.tar"
  archive_images "$SCRATCH/outer" "$SCRATCH/outer.tar"
  docker load --input "$SCRATCH/outer.tar"

  # The node's own containerd imports the images.
  container=$(docker run --detach --privileged --label "steadfast.setup=$RUN" --entrypoint sleep "$draft" infinity)
  docker exec "$container" sh -c "ctr oci spec | jq 'del(.process.rlimits)' > /etc/containerd/cri-base.json"
  docker exec --detach "$container" containerd
  wait_for 30 docker exec "$container" ctr version
  docker exec --interactive "$container" ctr -n k8s.io images import --label=io.cri-containerd.pinned=pinned --no-unpack - < "$SCRATCH/inner.tar"
  # shellcheck disable=SC2016 # The container's shell expands it.
  docker exec "$container" sh -c 'kill $(pidof containerd)'
  wait_for 30 docker exec "$container" sh -c '! pidof containerd'
  docker exec "$container" rm -rf /run/containerd
  docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' --change 'CMD []' \
    --change 'LABEL steadfast.setup=' "$container" "$draft"
  docker rm -fv "$container"
  # The next run trusts an image that has the final name, so the image gets this name last.
  boots "$draft"
  docker tag "$draft" "$image"
  docker rmi "$draft"
  docker save --output "$1/image.tar" "$image"
  node_parts "$2" | sbom "$image" "$1/image.spdx.json"
}

node_parts() { # VERSION
  debian_parts "$CACHE/node-tree-$(node_tree_recipe)/tree.tar" "$DEBIAN"
  debian_parts "$CACHE/pod-tree-$(pod_tree_recipe)/tree.tar" "$DEBIAN"
  go_parts "$CACHE/kubernetes-$1-$(kubernetes_recipe "$1")"/{kube,coredns,etcd,local-path-provisioner} \
    "$CACHE/containerd-$(containerd_recipe)"/*
}

wait_for() { # SECONDS COMMAND...
  local deadline=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do
    if ((SECONDS >= deadline)); then echo "not within its time: $*"; return 1; fi
    sleep 0.3
  done
}

# boots IMAGE starts the image as kind does, and checks what kind and kubeadm check.
boots() {
  local container name
  container=$(docker run --detach --privileged --tty --label "steadfast.setup=$RUN" --security-opt seccomp=unconfined --cgroupns=private \
    --security-opt apparmor=unconfined --tmpfs /tmp --tmpfs /run --volume /var --volume /lib/modules:/lib/modules:ro "$1")
  REMEDY="the image was built but does not boot here: see the container's log above"
  wait_for 60 logged "$container" 'Reached target .*Multi-User System.*|detected cgroup v1' || { docker logs "$container"; false; }
  wait_for 60 docker exec "$container" ctr version || { docker logs "$container"; docker exec "$container" journalctl --no-pager -n 30; false; }
  docker exec "$container" ctr -n k8s.io images ls -q > "$SCRATCH/held"
  while read -r name; do
    grep -qxF "$name" "$SCRATCH/held" || fail "the node does not hold $name" "see ci/lib/node.sh"
  done < "$SCRATCH/asked"
  docker exec "$container" systemctl is-active containerd node-dns
  docker rm -fv "$container"
  REMEDY=""
}
logged() { docker logs "$1" 2>&1 | grep -qE "$2"; }
