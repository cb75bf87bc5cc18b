use super::*;
use crate::root;

const GOOD: &str = "\
# What the lab is made of.
# shellcheck shell=bash

DEFAULT_KUBERNETES=1.37.2
BUILDABLE_KUBERNETES=\"
1.9.10 coredns=1.12.4
1.37.2 coredns=1.14.6 etcd=3.7.0

1.36.3 coredns=1.14.2
\"
SERVERS=\"
mysql:5.7 debian=bookworm packages=a,b java=com.example:server-5:0.6
mariadb:10.11 debian=bookworm
\"
DEBIAN=bookworm
CARGO_DENY=0.20.2
CARGO_FUZZ=0.13.2
CARGO_MUTANTS=27.1.0
";

const SEED_TEXT: &str = "spec:\n  containers:\n    - name: mysql\n      image: mysql:5.7\n";

/// Versions for tests of other modules.
pub(crate) fn good() -> Versions {
    Versions::parse(GOOD, SEED_TEXT).expect("it is understood")
}

fn error(text: &str) -> String {
    Versions::parse(text, SEED_TEXT).expect_err("it is not understood").to_string()
}

#[test]
fn rows_are_read_by_their_first_words_and_the_newest_kubernetes_comes_first() {
    let versions = good();
    assert_eq!(versions.default_kubernetes, "1.37.2");
    assert_eq!(versions.kubernetes, ["1.37.2", "1.36.3", "1.9.10"]);
    assert_eq!(versions.servers, ["mysql:5.7", "mariadb:10.11"]);
    assert_eq!(versions.seed_server, "mysql:5.7");
    assert_eq!([versions.cargo_deny, versions.cargo_fuzz, versions.cargo_mutants], ["0.20.2", "0.13.2", "27.1.0"]);
}

#[test]
fn the_versions_of_this_repository_are_understood() {
    let versions = Versions::read(root()).expect("it is understood");
    assert!(versions.servers.contains(&versions.seed_server));
}

#[test]
fn what_a_shell_would_expand_is_refused_with_its_line() {
    let expected = "expected NAME=value, NAME=\" or a comment, found";
    assert_eq!(error("KIND=$(kind)\n"), format!("ci/versions, line 1: {expected} `KIND=$(kind)`"));
    assert_eq!(error("# a\n\nexport KIND=1\n"), format!("ci/versions, line 3: {expected} `export KIND=1`"));
    assert_eq!(error("KIND=1 # a\n"), format!("ci/versions, line 1: {expected} `KIND=1 # a`"));
    assert_eq!(error("KIND=\n"), format!("ci/versions, line 1: {expected} `KIND=`"));
    assert_eq!(error("KIND=\"1\"\n"), format!("ci/versions, line 1: {expected} `KIND=\"1\"`"));
    assert_eq!(error("A=\"\nb $c\n\"\n"), format!("ci/versions, line 2: {expected} `b $c`"));
}

#[test]
fn what_is_missing_or_contradicts_itself_is_named() {
    assert_eq!(error("KIND=1\nKIND=2\n"), "ci/versions, line 2: KIND is assigned a second time");
    assert_eq!(
        error("KIND=1\nSERVERS=\"\nmysql:5.7\n"),
        "ci/versions, line 2: the rows of SERVERS have no end: a line with only a `\"` is missing"
    );
    assert_eq!(error(&GOOD.replace("CARGO_FUZZ=0.13.2\n", "")), "ci/versions does not assign CARGO_FUZZ");
    assert_eq!(
        error(&GOOD.replace("1.36.3 ", "v1.36 ")),
        "ci/versions: `v1.36` in BUILDABLE_KUBERNETES is not a version such as 1.37.2"
    );
    assert_eq!(
        error(&GOOD.replace("DEFAULT_KUBERNETES=1.37.2", "DEFAULT_KUBERNETES=1.38.0")),
        "ci/versions: DEFAULT_KUBERNETES is 1.38.0, which has no row in BUILDABLE_KUBERNETES"
    );
    let error = Versions::parse(GOOD, "kind: StatefulSet\n").expect_err("no image").to_string();
    assert_eq!(error, "manifests/seed/statefulset.yaml names no image");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Versions::read(Path::new("/nowhere")).expect_err("it is not there").to_string();
    assert!(error.starts_with("cannot read /nowhere/ci/versions: No such file"), "{error}");
}
