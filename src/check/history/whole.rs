//! A whole run in which everything is right.

use serde_json::json;

use crate::evidence::{Act, Moment, Phase, Question, SnapshotOf, SqlAnswer};

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
        let mut history = Self::in_its_own_cluster(replicas);
        history.step("deploy", Phase::Begin);
        for pod in history.pod_names() {
            history.starts(&pod);
        }
        history.finish();
        history
    }

    /// A run of a set that creates its pods all at once, and else does everything right.
    pub fn parallel() -> Self {
        let mut history = Self::in_its_own_cluster(3);
        history.step("deploy", Phase::Begin);
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
    fn in_its_own_cluster(replicas: u32) -> Self {
        let mut history = Self::nothing_yet(subject(replicas));
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
        self.scale();
        self.step("teardown", Phase::Begin);
        self.fault(Act::Teardown);
        self.snapshot(SnapshotOf::LeftoverObjects, json!([]));
        self.step("teardown", Phase::End);
        self.run_step("delete the cluster", Phase::Begin);
        self.run_step("delete the cluster", Phase::End);
        self.snapshot(SnapshotOf::LeftoverResources, json!([]));
    }

    fn deployed(&mut self) {
        let moment = Moment::Deployed;
        for pod in self.pod_names() {
            self.names(&moment, &pod);
            self.identity(&moment, &pod);
        }
        self.snapshot(SnapshotOf::Corefile, json!(COREFILE));
        self.swept(&moment);
        self.step("deploy", Phase::End);
    }

    fn swept(&mut self, moment: &Moment) {
        self.asked_for_service(moment);
        self.pod_names().iter().for_each(|pod| self.asked_for_pod(moment, pod));
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

    fn scale(&mut self) {
        let (from, to) = (self.subject.replicas, 1);
        self.step("scale", Phase::Begin);
        let surplus = self.replicas();
        if !surplus.is_empty() {
            self.fault(Act::Scale { from, to });
            for pod in surplus.iter().rev() {
                self.goes(pod);
            }
            self.pass_ms(200);
            surplus.iter().for_each(|pod| self.asked_for_pod(&Moment::ScaledDown, pod));
            self.asked_for_service(&Moment::ScaledDown);
            self.write(&Moment::ScaledDown, "mysql-0");
            self.fault(Act::Scale { from: to, to: from });
            surplus.iter().for_each(|pod| self.starts(pod));
            self.swept(&Moment::ScaledUp);
            self.pod_names().iter().for_each(|pod| self.identity(&Moment::ScaledUp, pod));
            self.compared(&Moment::ScaledUp);
        }
        self.step("scale", Phase::End);
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
