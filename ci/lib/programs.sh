# Builds programs from Go modules. Every go.mod and go.sum is in the repository.
# shellcheck shell=bash disable=SC2034

build() { # DIRECTORY_OF_THE_MODULE ARGUMENT...
  REMEDY="see the log; a module that cannot be downloaded means that the Go module proxy (go env GOPROXY) is out of reach"
  (cd "$1" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath "${@:2}")
  REMEDY=""
}

# says COMMAND... TEXT fails unless the command prints this text, such as its version.
says() {
  local text=${*: -1} answer
  answer=$("${@:1:$#-1}" 2>&1 || true)
  [[ $answer == *"$text"* ]] || fail "$1 does not say $text but: $answer" "the versions in ci/versions and the pinned modules differ; correct one of them"
}

build_kind() { # DIRECTORY
  build "$CI/lab/tools/kind" -ldflags '-s -w' -o "$1/kind" sigs.k8s.io/kind
  says "$1/kind" version "v$KIND"
}

kind_recipe() { fingerprint "$KIND" "$CI"/lab/tools/kind/go.*; }

# find_kind succeeds if a usable kind exists, so that none needs to be built.
find_kind() {
  local version
  if KIND_PATH=$(command -v kind) && version=$("$KIND_PATH" version -q 2> /dev/null) && at_least "$KIND" "${version#v}"; then
    RESULT="found $version"
  else
    KIND_PATH=""
    [ -d "$CACHE/kind-$(kind_recipe)" ]
  fi
}

kind_command() {
  if find_kind && [ -n "$KIND_PATH" ]; then return; fi
  cached kind "$(kind_recipe)" build_kind
  mkdir -p "$CACHE/bin"
  ln -sfn "$MADE/kind" "$CACHE/bin/kind"
  KIND_PATH=$CACHE/bin/kind
}

# An installed kubectl is used if it is at most one minor version away from the cluster. Otherwise the one in the node image is
# copied.
kubectl_command() { # NODE_IMAGE
  local found version minor
  minor=$(cut -d. -f2 <<< "$DEFAULT_KUBERNETES")
  if found=$(command -v kubectl) && version=$("$found" version --client -o json 2> /dev/null | jq -r .clientVersion.gitVersion) &&
    [[ $version =~ ^v1\.([0-9]+)\. ]] && ((BASH_REMATCH[1] >= minor - 1 && BASH_REMATCH[1] <= minor + 1)); then
    KUBECTL_PATH=$found RESULT="found $version"
    return
  fi
  cached kubectl "$(fingerprint "$(docker image inspect --format '{{.Id}}' "$1")")" copy_kubectl "$1"
  mkdir -p "$CACHE/bin"
  ln -sfn "$MADE/kubectl" "$CACHE/bin/kubectl"
  KUBECTL_PATH=$CACHE/bin/kubectl
}

copy_kubectl() { # DIRECTORY NODE_IMAGE
  docker run --rm --label "steadfast.setup=$RUN" --entrypoint cat "$2" /usr/bin/kubectl > "$1/kubectl"
  chmod 755 "$1/kubectl"
  says "$1/kubectl" version --client v1.
}

build_containerd() { # DIRECTORY
  # Leaves out the snapshotters for file systems that a node does not have.
  build "$CI/lab/tools/containerd" -tags no_btrfs,no_devmapper,no_zfs \
    -ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=v$CONTAINERD" -o "$1/" \
    github.com/containerd/containerd/v2/cmd/{containerd,containerd-shim-runc-v2,ctr}
  says "$1/containerd" --version "v$CONTAINERD"
  says "$1/containerd-shim-runc-v2" -v "v$CONTAINERD"
  says "$1/ctr" --version "v$CONTAINERD"
}

# build_kubernetes DIRECTORY VERSION COREDNS ETCD builds one program with all Kubernetes components of a node. It builds CoreDNS,
# etcd and the provisioner from the same modules, so that shared code is compiled once.
build_kubernetes() {
  local directory=$1 version=$2 coredns=$3 etcd=$4 module=$CI/lab/kubernetes package flags="-s -w" name
  # kubeadm reads its own version from these variables.
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=${version%%.*} -X $package.gitMinor=$(cut -d. -f2 <<< "$version")"
    flags+=" -X $package.gitTreeState=clean"
  done
  build "$module" -modfile="v$version.mod" -ldflags "$flags" -o "$directory/kube" .
  build "$module" -modfile="v$version.mod" -ldflags "-s -w" -o "$directory/coredns" ./coredns
  build "$module" -modfile="v$version.mod" -ldflags "-s -w" -o "$directory/etcd" go.etcd.io/etcd/server/v3
  build "$module" -modfile="v$version.mod" -ldflags "-s -w" -o "$directory/local-path-provisioner" github.com/rancher/local-path-provisioner
  for name in kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubeadm kubectl kubelet; do
    ln -s kube "$directory/$name"
  done
  for name in kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubelet; do
    says "$directory/$name" --version "v$version"
  done
  says "$directory/kubeadm" version "v$version"
  says "$directory/kubectl" version --client "v$version"
  says "$directory/coredns" -version "$coredns"
  says "$directory/etcd" --version "$etcd"
  # The provisioner does not print its version, so check the version of its module.
  says "$directory/local-path-provisioner" --version local-path-provisioner
  says go version -m "$directory/local-path-provisioner" "v$LOCAL_PATH_PROVISIONER"
}
