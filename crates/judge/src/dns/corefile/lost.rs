//! What a change of the Corefile removes from the cluster's names.

use super::{names_of, server_of};

/// Plugins that kubeadm removes when it migrates a Corefile, each with its replacement
/// (<https://github.com/coredns/corefile-migration>).
const MIGRATED: [(&str, Option<&str>); 2] = [("proxy", Some("forward")), ("federation", None)];

/// What the server block of the cluster's zone has in the old Corefile and lacks in the new one: plugins, and zones
/// that the kubernetes plugin serves.
pub(crate) fn lost_of_zone(before: &str, after: &str, domain: &str) -> Vec<String> {
    let names = names_of(domain);
    let Some(old) = server_of(before, &names) else { return Vec::new() };
    let Some(new) = server_of(after, &names) else { return vec![format!("there is no longer a server for {domain}")] };
    let mut lost = Vec::new();
    // `parse` has inserted the content of snippets, so the imports themselves do not count.
    for plugin in old.body.iter().map(|directive| directive.head[0].as_str()).filter(|plugin| *plugin != "import") {
        let known = MIGRATED.iter().find(|(name, _)| *name == plugin);
        let kept = match known {
            Some((_, None)) => true,
            Some((_, Some(instead))) => new.has(plugin) || new.has(instead),
            None => new.has(plugin),
        };
        let words = format!("the server for {domain} no longer has the plugin {plugin}");
        if !kept && !lost.contains(&words) {
            lost.push(words);
        }
    }
    let (old, new) = (old.zones_of_kubernetes(), new.zones_of_kubernetes());
    if let Some((old, new)) = old.zip(new) {
        let gone = old.iter().filter(|zone| !new.contains(zone));
        lost.extend(gone.map(|zone| format!("the plugin kubernetes no longer serves {zone}")));
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "\
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        upstream
    }
    federation cluster.local
    proxy . /etc/resolv.conf
    cache 30
}
";

    fn lost(after: &str) -> String {
        lost_of_zone(OLD, after, "cluster.local").join("; ")
    }

    #[test]
    fn what_kubeadm_migrates_is_not_lost() {
        let new = "\
.:53 {
    errors
    health {
        lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
    forward . /etc/resolv.conf
    cache 30 {
        disable success cluster.local
    }
}
";
        assert_eq!(lost(OLD), "");
        assert_eq!(lost(new), "");
        let split = format!("(common) {{\n    errors\n}}\n{}", new.replace("    errors\n", "    import common\n"));
        assert_eq!(lost(&split), "");
        assert_eq!(lost_of_zone(&split, new, "cluster.local"), [""; 0]);
    }

    #[test]
    fn what_serves_the_zone_must_stay() {
        insta::assert_snapshot!(lost(&OLD.replace("    proxy . /etc/resolv.conf\n", "")), @"the server for cluster.local no longer has the plugin proxy");
        insta::assert_snapshot!(lost(&OLD.replace("    kubernetes", "    file")), @"the server for cluster.local no longer has the plugin kubernetes");
        insta::assert_snapshot!(lost(&OLD.replace(" in-addr.arpa", "")), @"the plugin kubernetes no longer serves in-addr.arpa");
        insta::assert_snapshot!(lost("example.org {\n    forward . 10.0.0.1\n}\n"), @"there is no longer a server for cluster.local");
    }
}
