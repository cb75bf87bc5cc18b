//! Scripts, and the commands in them.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

fn shown(script: &str) -> String {
    let lines = parse(script).into_iter().map(|it| {
        let then = match it.then {
            Then::Next => "",
            Then::And => " &&",
            Then::Or => " ||",
            Then::Pipe => " |",
        };
        format!("{}{}{then}", "  ".repeat(it.depth), it.words.join("·"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn commands_end_where_a_shell_ends_them() {
    assert_snapshot!(shown("a 'b; c' \"d && e\" && f\\ g || h; i | j & k # l; m\nn>&2 2>&1"), @r"
    a·b; c·d && e &&
    f g ||
    h
    i |
    j
    k
    n>&2·2>&1
    ");
    assert_snapshot!(shown("if ! a; then b; else { c; } fi\nuntil d; do sleep 1; done"), @r"
    a
    b
    c
    d
    sleep·1
    ");
    assert_snapshot!(shown("cat <<'END' >x\nmysqld\nEND\na \\\n  b \"\""), @r"
    cat·>x
    a·b·
    ");
}

#[test]
fn substitutions_are_commands_too() {
    assert_snapshot!(shown("a \"$(b \"$(c)\" d)\" `e` $((1 + (2)))"), @r#"
        c
      b·$(c)·d
      e
    a·$(b "$(c)" d)·`e`·$((1 + (2)))
    "#);
}

#[test]
fn the_program_stands_behind_what_hands_over_to_it() {
    let program = |script: &str| parse(script).last().map_or(String::new(), |it| it.program().to_owned());
    for script in [
        "A=1 exec docker-entrypoint.sh mysqld --x",
        "exec gosu mysql /usr/sbin/mysqld",
        "/usr/bin/tini -- mysqld",
        "nohup env A=b mysqld &",
        "timeout 60 mysqld",
    ] {
        assert_eq!(program(script), "mysqld", "{script}");
    }
    assert_eq!(program("echo waiting for mysqld"), "echo");
    assert_eq!(program("docker-entrypoint.sh"), "docker-entrypoint.sh");
    assert_eq!(program("--server-id=1"), "--server-id=1");
}

#[test]
fn a_shell_is_told_by_its_option() {
    assert_eq!(script(&["bash", "-ec", "a", "b"]), Some(("a", &["b"][..])));
    assert_eq!(script(&["/bin/sh", "-e", "-c", "a"]), Some(("a", &[][..])));
    assert_eq!(script(&["bash", "a.sh", "-c"]), None);
    assert_eq!(script(&["mysql", "-c", "a"]), None);
}

proptest! {
    /// No text makes the parser panic or loop for ever.
    #[test]
    fn any_text_is_read_to_its_end(text in "[a-z '\"`$()<>&|;#\\\\\n]{0,60}") {
        parse(&text);
    }
}
