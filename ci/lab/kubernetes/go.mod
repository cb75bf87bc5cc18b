// The versions are pinned in v*.mod, one file for each Kubernetes version; ci/setup builds with -modfile. This file only marks
// the root of the module.
module steadfast.local/kubernetes

go 1.26.0
