//! A whole run in which everything is right.

use serde_json::json;

use crate::evidence::{Act, Moment, Phase, Question, Retention, SnapshotOf, SqlAnswer, Subject};

use super::{History, error, row, subject};

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa942956";
const COREFILE: &str = "\
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 30
    }
    forward . /etc/resolv.conf
    cache 30 {
        disable success cluster.local
        disable denial cluster.local
    }
}
";

impl History {
    /// A run in which everything is right.
    pub fn good() -> Self {
        Self::good_of(3)
    }

    /// A run of this many pods in which everything is right.
    pub fn good_of(replicas: u32) -> Self {
        Self::good_with(subject(replicas))
    }

    /// A run of this workload in which everything is right.
    pub fn good_with(subject: Subject) -> Self {
        let mut history = Self::started(subject);
        history.finish();
        history
    }

    /// A run in which every pod is deleted, and deleted again, and everything is right.
    pub fn good_twice() -> Self {
        let mut history = Self::started(subject(3));
        history.deployed();
        history.replicate();
        for _ in 0..2 {
            history.restart();
            history.unready_pod();
        }
        history
    }

    /// A run in which every pod of this workload was started, one after the other.
    fn started(subject: Subject) -> Self {
        let mut history = Self::in_its_own_cluster(subject);
        history.step("deploy", Phase::Begin);
        history.applied();
        for pod in history.pod_names() {
            history.starts(&pod);
        }
        history
    }

    /// A run of a set that creates its pods all at once, and else does everything right.
    pub fn parallel() -> Self {
        let mut history = Self::in_its_own_cluster(subject(3));
        history.step("deploy", Phase::Begin);
        history.applied();
        let pods = history.pod_names();
        for pod in &pods {
            history.added(pod);
        }
        for pod in &pods {
            history.pass_ms(1_500);
            history.ready(pod);
            history.pinged(pod, SqlAnswer::Rows(vec![row([("ping", "1")])]));
        }
        history.finish();
        history
    }

    /// A run that made a cluster for itself and has just started.
    fn in_its_own_cluster(subject: Subject) -> Self {
        let mut history = Self::nothing_yet(subject);
        history.run_step("create the cluster", Phase::Begin);
        history.run_step("create the cluster", Phase::End);
        history.begins();
        history
    }

    /// The pods' names, lowest ordinal first.
    pub fn pod_names(&self) -> Vec<String> {
        self.subject.pods().collect()
    }

    /// A pod is created, becomes Ready, and its server answers.
    pub fn starts(&mut self, pod: &str) {
        self.added(pod);
        self.pass_ms(1_500);
        self.ready(pod);
        self.pinged(pod, SqlAnswer::Rows(vec![row([("ping", "1")])]));
    }

    /// A pod goes.
    pub fn goes(&mut self, pod: &str) -> u64 {
        self.deleting(pod);
        self.pass_ms(800);
        self.deleted(pod)
    }

    /// All that comes after the pods' first start.
    fn finish(&mut self) {
        self.deployed();
        self.replicate();
        self.restart();
        self.unready_pod();
        self.scale();
        self.roll();
        self.claims();
        self.teardown();
    }

    fn teardown(&mut self) {
        self.step("teardown", Phase::Begin);
        self.fault(Act::Teardown);
        for pod in self.there() {
            self.goes(&pod);
        }
        self.fault(Act::DeleteClaims);
        for claim in self.claim_names() {
            self.claim_goes(&claim);
        }
        self.snapshot(SnapshotOf::LeftoverObjects, json!([]));
        self.step("teardown", Phase::End);
        self.run_step("delete the cluster", Phase::Begin);
        self.run_step("delete the cluster", Phase::End);
        self.snapshot(SnapshotOf::LeftoverResources, json!([]));
    }

    /// The pods that are there, highest ordinal first.
    fn there(&mut self) -> Vec<String> {
        let there = |pod: &String| self.pods.iter().any(|it| it.name == *pod && !it.gone);
        let mut pods: Vec<String> = self.subject.pods().filter(there).collect();
        pods.reverse();
        pods
    }

    fn deployed(&mut self) {
        let moment = Moment::Deployed;
        for pod in self.pod_names() {
            self.names(&moment, &pod);
            self.identity(&moment, &pod);
            let settings = [("sync_binlog", "1"), ("innodb_flush_log_at_trx_commit", "1"), ("relay_log_recovery", "1")];
            self.sql_row(&moment, &pod, Question::Settings, settings);
        }
        self.snapshot(SnapshotOf::Corefile, json!(COREFILE));
        self.swept(&moment);
        self.looked_up(&moment);
        self.fault(Act::Reapply);
        let proof = self.applied();
        self.proved(Act::Reapply, proof);
        self.step("deploy", Phase::End);
    }

    fn swept(&mut self, moment: &Moment) {
        self.asked_for_service(moment);
        self.pod_names().iter().for_each(|pod| self.asked_for_pod(moment, pod));
        self.asked_for_ports(moment);
        self.asked_for_addresses(moment);
    }

    fn names(&mut self, moment: &Moment, pod: &str) {
        self.exec(moment, pod, &["hostname"], pod);
        self.exec(moment, pod, &["hostname", "-f"], &self.subject.fqdn(pod));
    }

    fn identity(&mut self, moment: &Moment, pod: &str) {
        let ordinal = self.subject.ordinal_of(pod).unwrap_or_default();
        let (id, uuid) = ((100 + ordinal).to_string(), format!("{UUID}{ordinal}"));
        let columns = [("hostname", pod), ("server_id", &id), ("server_uuid", &uuid), ("version", "8.4.6")];
        self.sql_row(moment, pod, Question::Identity, columns);
    }

    fn gtids(&self) -> String {
        format!("{UUID}0:1-{}", self.ledger.len())
    }

    fn status(&mut self, moment: &Moment, pod: &str) {
        let host = self.subject.fqdn(&self.subject.primary());
        let threads = [("Replica_IO_Running", "Yes"), ("Replica_SQL_Running", "Yes"), ("Source_Host", &host)];
        self.sql_row(moment, pod, Question::ReplicaStatus, threads);
    }

    fn barrier(&mut self, moment: &Moment, pod: &str) {
        let set = self.gtids();
        self.sql_row(moment, pod, Question::Barrier, [("gtid_set", &set), ("reached", "1")]);
    }

    fn replicas(&self) -> Vec<String> {
        self.subject.replica_pods().collect()
    }

    fn replicate(&mut self) {
        let moment = Moment::Replicating;
        self.step("replicate", Phase::Begin);
        for pod in self.replicas() {
            self.sql(&moment, &pod, Question::Configure, SqlAnswer::Rows(Vec::new()));
        }
        for _ in 0..8 {
            self.write(&moment, "mysql-0");
        }
        self.compared(&moment);
        self.step("replicate", Phase::End);
    }

    /// The replicas catch up, and all that the servers hold is asked for.
    fn compared(&mut self, moment: &Moment) {
        self.replicas().iter().for_each(|pod| self.barrier(moment, pod));
        for pod in self.pod_names() {
            let set = self.gtids();
            self.sql_row(moment, &pod, Question::GtidExecuted, [("gtid_executed", &set)]);
            let tables = vec![row([("table", "steadfast.ledger"), ("checksum", "77")])];
            self.sql(moment, &pod, Question::Digest, SqlAnswer::Rows(tables));
            self.rows(moment, &pod);
        }
        for pod in self.replicas() {
            self.status(moment, &pod);
            self.refuses(moment, &pod);
        }
    }

    fn refuses(&mut self, moment: &Moment, pod: &str) {
        let refusal = error(1290, "The MySQL server is running with the --super-read-only option");
        self.sql(moment, pod, Question::TryWrite, refusal);
    }

    fn restart(&mut self) {
        self.step("restart", Phase::Begin);
        for pod in self.pod_names().iter().rev() {
            self.restarts(pod);
        }
        self.step("restart", Phase::End);
    }

    fn restarts(&mut self, pod: &str) {
        let (before, after) = (Moment::BeforeDeletion { pod: pod.into() }, Moment::Deletion { pod: pod.into() });
        self.write(&before, "mysql-0");
        self.rows(&before, pod);
        self.identity(&before, pod);
        let act = Act::DeletePod { pod: pod.into(), uid: self.uid(pod), grace_s: None };
        self.fault(act.clone());
        let gone = self.goes(pod);
        self.proved(act, gone);
        self.starts(pod);
        self.identity(&after, pod);
        self.names(&after, pod);
        self.rows(&after, pod);
        self.pass_ms(300);
        self.asked_for_pod(&after, pod);
        self.write(&after, "mysql-0");
        for replica in self.replicas() {
            self.barrier(&after, &replica);
            self.status(&after, &replica);
            self.rows(&after, &replica);
            self.refuses(&after, &replica);
        }
    }

    /// The second pod is held un-Ready, or the only one; meanwhile the first one is deleted without grace.
    fn unready_pod(&mut self) {
        self.step("unready", Phase::Begin);
        let alone = self.subject.replicas == 1;
        let held = self.subject.nth(u32::from(!alone));
        let moment = Moment::Held { pod: held.clone() };
        self.held(&held);
        self.pass_ms(200);
        self.asked_for_pod(&moment, &held);
        self.asked_for_service(&moment);
        if !alone {
            self.killed(&self.subject.primary());
        }
        self.released(&held);
        let moment = Moment::Released { pod: held };
        for replica in self.replicas() {
            self.barrier(&moment, &replica);
            self.rows(&moment, &replica);
        }
        self.step("unready", Phase::End);
    }

    /// A pod is deleted without grace and comes back.
    pub fn killed(&mut self, pod: &str) {
        let (before, after) = (Moment::BeforeKill { pod: pod.into() }, Moment::Kill { pod: pod.into() });
        self.write(&before, "mysql-0");
        self.rows(&before, pod);
        self.identity(&before, pod);
        let act = Act::DeletePod { pod: pod.into(), uid: self.uid(pod), grace_s: Some(0) };
        self.fault(act.clone());
        let gone = self.deleted(pod);
        self.proved(act, gone);
        self.starts(pod);
        self.identity(&after, pod);
        self.rows(&after, pod);
        self.pass_ms(300);
        self.asked_for_pod(&after, pod);
    }

    fn scale(&mut self) {
        let (from, to) = (self.subject.replicas, 1);
        self.step("scale", Phase::Begin);
        let surplus = self.replicas();
        if !surplus.is_empty() {
            let (down, up) = (Act::Scale { from, to }, Act::Scale { from: to, to: from });
            self.fault(down.clone());
            self.scaled(to);
            let mut gone = 0;
            for pod in surplus.iter().rev() {
                gone = self.goes(pod);
            }
            self.proved(down, gone);
            self.pass_ms(200);
            surplus.iter().for_each(|pod| self.asked_for_pod(&Moment::ScaledDown, pod));
            self.asked_for_service(&Moment::ScaledDown);
            self.write(&Moment::ScaledDown, "mysql-0");
            let primary = self.subject.primary();
            self.held(&primary);
            self.fault(up.clone());
            self.scaled(from);
            self.pass_ms(1_000);
            self.released(&primary);
            surplus.iter().for_each(|pod| self.starts(pod));
            let proof = self.set_seen();
            self.proved(up, proof);
            self.swept(&Moment::ScaledUp);
            self.pod_names().iter().for_each(|pod| self.identity(&Moment::ScaledUp, pod));
            self.compared(&Moment::ScaledUp);
        }
        self.step("scale", Phase::End);
    }

    /// The template changes for the last pod, then for all; then it is broken and reverted.
    fn roll(&mut self) {
        self.step("roll", Phase::Begin);
        let pods: Vec<String> = self.pod_names().into_iter().rev().collect();
        let last = self.subject.replicas - 1;
        if last > 0 {
            let some = Act::Roll { partition: last };
            self.fault(some.clone());
            self.template("rev-2");
            self.replaced(&pods[0]);
            let proof = self.set_seen();
            self.proved(some, proof);
            let below = &pods[1];
            let act = Act::DeletePod { pod: below.clone(), uid: self.uid(below), grace_s: None };
            self.fault(act.clone());
            let gone = self.goes(below);
            self.proved(act, gone);
            self.making("rev-1", |history| history.starts(below));
        }
        let all = Act::Roll { partition: 0 };
        self.fault(all.clone());
        self.template("rev-2");
        pods[usize::from(last > 0)..].iter().for_each(|pod| self.replaced(pod));
        let proof = self.rolled_out();
        self.proved(all, proof);
        self.broken_and_reverted(&pods);
        self.step("roll", Phase::End);
    }

    fn broken_and_reverted(&mut self, pods: &[String]) {
        self.fault(Act::BreakTemplate);
        self.template("rev-3");
        self.goes(&pods[0]);
        let proof = self.stuck(&pods[0]);
        self.proved(Act::BreakTemplate, proof);
        self.fault(Act::RevertTemplate);
        self.template("rev-1");
        let act = Act::DeletePod { pod: pods[0].clone(), uid: self.uid(&pods[0]), grace_s: None };
        self.fault(act.clone());
        let gone = self.goes(&pods[0]);
        self.proved(act, gone);
        self.starts(&pods[0]);
        pods[1..].iter().for_each(|pod| self.replaced(pod));
        let proof = self.rolled_out();
        self.proved(Act::RevertTemplate, proof);
    }

    /// The last pod is scaled away while claims are to go with their pods, and comes back with new ones.
    fn claims(&mut self) {
        self.step("claims", Phase::Begin);
        let (from, to) = (self.subject.replicas, self.subject.replicas - 1);
        let pod = self.subject.nth(to);
        let own: Vec<String> = self.subject.claims.iter().map(|it| self.subject.claim(it, &pod)).collect();
        self.claim_policy(Retention::Delete);
        let act = Act::Scale { from, to };
        self.fault(act.clone());
        self.scaled(to);
        let mut proof = self.goes(&pod);
        for claim in own {
            proof = self.claim_goes(&claim);
        }
        self.proved(act, proof);
        self.claim_policy(Retention::Retain);
        let back = Act::Scale { from: to, to: from };
        self.fault(back.clone());
        self.scaled(from);
        self.starts(&pod);
        let proof = self.set_seen();
        self.proved(back, proof);
        self.step("claims", Phase::End);
    }
}

/// Writes the stored runs of `suites/replay` anew: `cargo test --lib -- --ignored store_the_runs`.
#[test]
#[ignore = "writes suites/replay"]
fn store_the_runs() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/replay");
    for (name, history) in [("made-good", History::good()), ("made-parallel", History::parallel())] {
        let lines = history.records.iter().map(|record| serde_json::to_string(record).expect("a record") + "\n");
        std::fs::write(folder.join(name).with_extension("jsonl"), lines.collect::<String>()).expect("a folder");
    }
}
