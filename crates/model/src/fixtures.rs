//! A hand-made run, for tests.

use crate::*;

/// The seed with this many pods.
pub fn subject(replicas: u32) -> Subject {
    Subject {
        namespace: "steadfast".into(),
        domain: "cluster.local".into(),
        set: "mysql".into(),
        replicas,
        first_ordinal: 0,
        service: "mysql-h".into(),
        publish_not_ready: false,
        port: 3306,
        named_ports: vec![NamedPort { name: "mysql".into(), protocol: "tcp".into(), number: 3306 }],
        claims: vec!["data".into()],
        container: "mysql".into(),
        selector: [("app".to_owned(), "mysql".to_owned())].into(),
        min_ready_seconds: 0,
        pod_management: PodManagement::default(),
        on_delete: false,
        partition: 0,
        max_unavailable: 1,
        claim_policy: ClaimPolicy::default(),
    }
}

/// The description of a run of the seed.
pub fn run() -> Run {
    let substitution = Substitution {
        wanted: "mysql:5.7".into(),
        image: "steadfast.local/mysql:5.7.22".into(),
        why: "the registry's image has no build for this machine".into(),
    };
    Run {
        schema: SCHEMA,
        run_id: "20260105-030000-7f3a".into(),
        steadfast: "0.1.0".into(),
        kubernetes: "v1.37.2".into(),
        gates: [].into(),
        cluster: "kind cluster steadfast-7f3a (3 nodes)".into(),
        substitutions: vec![substitution],
        subject: subject(3),
        budgets: Budgets {
            resume_ms: 30_000,
            barrier_ms: 10_000,
            recovery_ms: 120_000,
            outage_ms: 120_000,
            lag_ms: 1_000,
        },
        scenarios: vec![Scenario::Deploy, Scenario::Restart],
        left_out: Vec::new(),
        replication: Replication::Managed,
        semi_sync: false,
        expect: Vec::new(),
        upgrade: None,
    }
}
