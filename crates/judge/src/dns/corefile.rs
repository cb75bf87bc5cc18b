//! Reads a Corefile: how long CoreDNS may give old answers about the cluster's names, and which server block serves
//! them.

mod lost;

pub(crate) use lost::lost_of_zone;

/// How long a change may take from the API server to CoreDNS without a cache, in milliseconds.
const UNCACHED_MS: u64 = 2_000;
/// How long a change may take beyond the cache's time, in milliseconds.
const BEYOND_CACHE_MS: u64 = 5_000;
/// The longest budget, whatever the Corefile says, in milliseconds. A cache may keep half a minute, as kubeadm's did,
/// but a name that leads to nobody for more than twice that is not a stable network identity.
const AT_MOST_MS: u64 = 60_000;
/// Seconds for which DNS servers usually cache an answer
/// (<https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/>).
const USUAL_S: u64 = 30;
/// Seconds for which `cache` keeps positive answers by default (<https://coredns.io/plugins/cache/>).
const DEFAULT_SUCCESS_S: u64 = 3600;
/// Seconds for which `cache` keeps negative answers by default.
const DEFAULT_DENIAL_S: u64 = 1800;

/// How long after a change an old answer is still right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Budget {
    /// The limit, in milliseconds.
    pub ms: u64,
    /// Where the limit comes from.
    pub why: String,
}

impl Budget {
    /// The budget without a Corefile: other DNS servers are taken to cache as long as kubeadm's CoreDNS did for years.
    pub(super) fn usual() -> Self {
        let ms = USUAL_S * 1000 + BEYOND_CACHE_MS;
        Self { ms, why: format!("no Corefile was found, and servers usually cache answers for {USUAL_S} s") }
    }

    /// The budget for names in the cluster's zone, such as `cluster.local`, by this Corefile.
    pub(super) fn of(corefile: &str, domain: &str) -> Self {
        Self::of_names(corefile, &names_of(domain), domain)
    }

    /// The budget for the names of addresses. kubeadm's Corefile turns the cache off for the cluster's zone only.
    pub(super) fn of_addresses(corefile: &str) -> Self {
        let [four, six] = ["in-addr.arpa", "ip6.arpa"].map(|zone| Self::of_names(corefile, zone, zone));
        if six.ms > four.ms { six } else { four }
    }

    fn of_names(corefile: &str, names: &str, domain: &str) -> Self {
        let Some(server) = server_of(corefile, names) else {
            return Self { ms: UNCACHED_MS, why: format!("the Corefile has no server for {domain}") };
        };
        let cached = server.body.iter().find(|directive| directive.head[0] == "cache").map(|it| cached_s(it, names));
        match cached {
            None => Self { ms: UNCACHED_MS, why: "the Corefile has no cache".to_owned() },
            Some(None) => Self { ms: UNCACHED_MS, why: format!("the Corefile's cache is off for {domain}") },
            Some(Some(s)) => {
                let ms = s.saturating_mul(1000).saturating_add(BEYOND_CACHE_MS);
                let capped = if ms > AT_MOST_MS { ", which is longer than the allowed maximum" } else { "" };
                Self { ms: ms.min(AT_MOST_MS), why: format!("the Corefile caches answers for {s} s{capped}") }
            }
        }
    }
}

/// The common parent of all names that are queried in the cluster's zone.
fn names_of(domain: &str) -> String {
    format!("svc.{}", domain.trim_end_matches('.').to_ascii_lowercase())
}

/// The server block that serves these names.
fn server_of(corefile: &str, names: &str) -> Option<Directive> {
    let serving = parse(corefile).into_iter().filter_map(|block| Some((block.zone_length(names)?, block)));
    // `max_by_key` takes the last of equals. There are none: CoreDNS refuses two blocks with the same zone and port.
    serving.max_by_key(|(length, _)| *length).map(|(_, server)| server)
}

/// Seconds for which answers about these names are cached; `None` if the cache is off for them.
fn cached_s(cache: &Directive, names: &str) -> Option<u64> {
    let arguments = &cache.head[1..];
    let ttl: Option<u64> = arguments.first().and_then(|argument| argument.parse().ok());
    let zones = &arguments[usize::from(ttl.is_some())..];
    if !zones.is_empty() && !zones.iter().any(|zone| zone_length(zone, names).is_some()) {
        return None;
    }
    let kept = |class: &str, default: u64| {
        let off = cache.body.iter().any(|option| {
            option.head[0] == "disable"
                && option.head.get(1).is_some_and(|disabled| disabled == class)
                && (option.head.len() == 2 || option.head[2..].iter().any(|zone| zone_length(zone, names).is_some()))
        });
        let own = cache.body.iter().find(|option| option.head[0] == class);
        let own = own.and_then(|option| option.head.get(2)?.parse().ok());
        (!off).then(|| own.or(ttl).unwrap_or(default))
    };
    kept("success", DEFAULT_SUCCESS_S).max(kept("denial", DEFAULT_DENIAL_S))
}

/// The cluster's zone: the first one that the kubernetes plugin serves, or else the first one of its server block
/// (<https://coredns.io/plugins/kubernetes/>). Reverse zones and the root do not count.
pub(super) fn zone(corefile: &str) -> Option<String> {
    parse(corefile).iter().find_map(|server| {
        server.zones_of_kubernetes()?.into_iter().find(|zone| !zone.is_empty() && !zone.ends_with(".arpa"))
    })
}

/// A zone in lower case without scheme, port and trailing dot.
fn bare(zone: &str) -> String {
    let zone = zone.split_once("://").map_or(zone, |(_, rest)| rest);
    zone.split_once(':').map_or(zone, |(host, _)| host).trim_end_matches('.').to_ascii_lowercase()
}

/// The length of the zone if it contains the names. The longest zone wins.
fn zone_length(zone: &str, names: &str) -> Option<usize> {
    let zone = bare(zone);
    let below = names.strip_suffix(zone.as_str())?;
    (zone.is_empty() || below.is_empty() || below.ends_with('.')).then_some(zone.len())
}

/// A line of a Corefile with the block that it opens.
#[derive(Clone)]
struct Directive {
    /// The words before the block, at least one.
    head: Vec<String>,
    /// The lines of the block.
    body: Vec<Directive>,
}

impl Directive {
    fn zone_length(&self, names: &str) -> Option<usize> {
        self.head.iter().filter_map(|zone| zone_length(zone, names)).max()
    }

    /// Whether a server block has a plugin.
    fn has(&self, plugin: &str) -> bool {
        self.body.iter().any(|directive| directive.head[0] == plugin)
    }

    /// The zones that the kubernetes plugin serves: its own, or else the server block's. `None` without the plugin.
    fn zones_of_kubernetes(&self) -> Option<Vec<String>> {
        let plugin = self.body.iter().find(|directive| directive.head[0] == "kubernetes")?;
        let zones = if plugin.head.len() > 1 { &plugin.head[1..] } else { &self.head[..] };
        Some(zones.iter().map(|zone| bare(zone)).collect())
    }
}

/// The server blocks of a Corefile, with imported snippets inserted.
fn parse(corefile: &str) -> Vec<Directive> {
    let mut lines = corefile.lines().map(words).filter(|words| !words.is_empty());
    let blocks = block(&mut lines);
    let is_snippet = |block: &Directive| block.head[0].starts_with('(');
    let (snippets, mut servers): (Vec<_>, Vec<_>) = blocks.into_iter().partition(is_snippet);
    for server in &mut servers {
        let named = |import: &Directive| {
            let name = import.head.get(1).filter(|_| import.head[0] == "import")?;
            snippets.iter().find(|snippet| snippet.head[0] == format!("({name})"))
        };
        let imported: Vec<_> = server.body.iter().filter_map(named).flat_map(|it| it.body.clone()).collect();
        server.body.extend(imported);
    }
    servers
}

/// The lines up to the brace that closes the block, or to the end.
fn block(lines: &mut impl Iterator<Item = Vec<String>>) -> Vec<Directive> {
    let mut directives = Vec::new();
    while let Some(mut head) = lines.next() {
        if head[0] == "}" {
            break;
        }
        let opens = head.last().is_some_and(|word| word == "{");
        if opens {
            head.pop();
        }
        let body = if opens { block(lines) } else { Vec::new() };
        if !head.is_empty() {
            // The zones of a server block may be separated by commas.
            let head = head.iter().map(|word| word.trim_end_matches(',').to_owned()).collect();
            directives.push(Directive { head, body });
        }
    }
    directives
}

/// Splits a line into words: whitespace separates them, double quotes group them, `#` begins a comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBEADM: &str = "\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
";

    fn ms(corefile: &str) -> u64 {
        Budget::of(corefile, "cluster.local").ms
    }

    /// For how many seconds answers are cached, where that is longer than the longest budget.
    fn too_long(corefile: &str) -> u64 {
        let Budget { ms, why } = Budget::of(corefile, "cluster.local");
        assert_eq!(ms, AT_MOST_MS, "{why}");
        let seconds = why.strip_prefix("the Corefile caches answers for ").and_then(|rest| rest.split_once(" s, "));
        seconds.and_then(|(seconds, _)| seconds.parse().ok()).expect("the seconds")
    }

    #[test]
    fn no_cache_excuses_more_than_a_minute() {
        let most = Budget::of(&with_cache("    cache 55"), "cluster.local");
        assert_eq!((most.ms, most.why.as_str()), (60_000, "the Corefile caches answers for 55 s"));
        assert_eq!(too_long(&with_cache("    cache 56")), 56);
        assert_eq!(too_long(&with_cache("    cache 300")), 300);
    }

    /// kubeadm's Corefile with these lines for the cache.
    fn with_cache(cache: &str) -> String {
        let (before, rest) = KUBEADM.split_once("    cache 30 {").expect("a cache");
        let (_, after) = rest.split_once("    loop").expect("a loop");
        format!("{before}{cache}\n    loop{after}")
    }

    #[test]
    fn kubeadm_turned_the_cache_off_for_the_cluster() {
        assert_eq!(ms(KUBEADM), 2_000);
        assert_eq!(Budget::of(KUBEADM, "Cluster.Local.").why, "the Corefile's cache is off for Cluster.Local.");
        assert_eq!(ms(&with_cache("    cache 30")), 35_000);
        assert_eq!(ms(&with_cache("    cache 50 # seconds")), 55_000);
        assert_eq!(ms(&with_cache("    # cache 30")), 2_000);
    }

    #[test]
    fn another_domain_is_still_cached() {
        assert_eq!(Budget::of(KUBEADM, "k8s.example").ms, 35_000);
        assert_eq!(Budget::of(KUBEADM, "xcluster.local").ms, 35_000);
    }

    #[test]
    fn half_a_cache_counts() {
        assert_eq!(ms(&with_cache("    cache 30 {\n        disable success\n    }")), 35_000);
        assert_eq!(ms(&with_cache("    cache 30 {\n        disable success\n        disable denial .\n    }")), 2_000);
        assert_eq!(too_long(&with_cache("    cache {\n        disable success\n    }")), 1_800);
        assert_eq!(ms(&with_cache("    cache {\n        success 9984 10\n        denial 9984 20\n    }")), 25_000);
        assert_eq!(ms(&with_cache("    cache {\n        disable denial\n        success 9984 10\n    }")), 15_000);
    }

    #[test]
    fn no_number_is_the_default() {
        assert_eq!(too_long(&with_cache("    cache")), 3_600);
        assert_eq!(too_long(&with_cache("    cache cluster.local")), 3_600);
        assert_eq!(ms(&with_cache("    cache 10 example.org")), 2_000);
    }

    #[test]
    fn the_server_of_the_longest_zone_counts() {
        let two = format!("dns://cluster.local:53, in-addr.arpa {{\n  kubernetes\n  cache 7\n}}\n{KUBEADM}");
        assert_eq!(ms(&two), 12_000);
        assert_eq!(ms("local {\n cache 9\n}\nexample.org {\n cache 8\n}\n"), 14_000);
        assert_eq!(ms("example.org {\n cache 8\n}\n"), 2_000);
        assert_eq!(ms(""), 2_000);
    }

    #[test]
    fn the_zone_is_the_first_that_the_kubernetes_plugin_serves() {
        assert_eq!(zone(KUBEADM).as_deref(), Some("cluster.local"));
        for (corefile, expected) in [
            (
                ".:53 {\n  # kubernetes old.zone\n  kubernetes Corp.Example. in-addr.arpa {\n  }\n}\n",
                Some("corp.example"),
            ),
            (". {\n  kubernetes in-addr.arpa corp.example\n}\n", Some("corp.example")),
            (
                "dns://corp.example:1053, in-addr.arpa {\n  kubernetes {\n    pods insecure\n  }\n}\n",
                Some("corp.example"),
            ),
            ("example.org {\n  cache\n}\n. {\n  kubernetes a.b\n}\n. {\n  kubernetes c.d\n}\n", Some("a.b")),
            ("(cluster) {\n  \"kubernetes\" a.b\n}\n. {\n  import cluster\n}\n", Some("a.b")),
            (". {\n  kubernetes\n}\n", None),
            (". {\n  kubernetes in-addr.arpa\n}\n", None),
            (".:53 { forward . /etc/resolv.conf }", None),
            ("", None),
        ] {
            assert_eq!(zone(corefile).as_deref(), expected, "{corefile}");
        }
    }

    #[test]
    fn snippets_and_quotes_are_read() {
        assert_eq!(ms("(common) {\n  cache 40\n}\n. {\n  import common\n  import /etc/coredns/custom/*\n}\n"), 45_000);
        assert_eq!(ms(". {\n  \"cache\" \"50\"\n  log \"a { b\"\n}\n"), 55_000);
    }
}
