// The versions are pinned in v*.mod, one for each Kubernetes version: ci/setup builds with -modfile. This file only marks
// where the module begins.
module steadfast.local/kubernetes

go 1.26.0
