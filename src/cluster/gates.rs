//! The API server's feature gates, read from its metrics
//! (<https://kubernetes.io/docs/reference/instrumentation/metrics/>, `kubernetes_feature_enabled`).

use std::collections::BTreeMap;

use kube::Client;

const METRIC: &str = "kubernetes_feature_enabled{";

/// Each feature gate and whether it is on. Empty if the account may not read metrics. The controllers run in another
/// process; they usually, but not necessarily, have the same gates (kubeadm sets them for all).
pub async fn feature_gates(client: &Client) -> BTreeMap<String, bool> {
    let Ok(request) = http::Request::get("/metrics").body(Vec::new()) else { return BTreeMap::new() };
    client.request_text(request).await.map(|metrics| parse(&metrics)).unwrap_or_default()
}

fn parse(metrics: &str) -> BTreeMap<String, bool> {
    metrics.lines().filter_map(gate).collect()
}

/// Parses a line such as `kubernetes_feature_enabled{name="PodIndexLabel",stage=""} 1`.
fn gate(line: &str) -> Option<(String, bool)> {
    let (labels, value) = line.strip_prefix(METRIC)?.rsplit_once("} ")?;
    let name = labels.split(',').find_map(|label| label.strip_prefix("name=\"")?.strip_suffix('"'))?;
    Some((name.to_owned(), value.trim() == "1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_found_among_the_metrics() {
        let metrics = "\
# HELP kubernetes_feature_enabled [BETA] This metric records the data about the stage and enablement of a k8s feature.
# TYPE kubernetes_feature_enabled gauge
kubernetes_feature_enabled{name=\"MaxUnavailableStatefulSet\",stage=\"BETA\"} 0
kubernetes_feature_enabled{name=\"PodIndexLabel\",stage=\"\"} 1
apiserver_request_total{name=\"x\"} 1
kubernetes_feature_enabled{stage=\"ALPHA\"} 1
";
        let gates = [("MaxUnavailableStatefulSet".to_owned(), false), ("PodIndexLabel".to_owned(), true)];
        assert_eq!(parse(metrics), gates.into());
    }
}
