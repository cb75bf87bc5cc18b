//! A whole good run.

use serde_json::json;

use super::{History, error, row, subject};
use crate::evidence::{Act, Checkpoint, LeftOut, Phase, Question, Run, Scenario, SnapshotOf, SqlAnswer, Subject, What};

pub(super) const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa942956";
pub(super) const COREFILE: &str = "\
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
    /// A good run.
    pub fn good() -> Self {
        Self::good_of(3)
    }

    /// A good run of this many pods.
    pub fn good_of(replicas: u32) -> Self {
        Self::good_with(subject(replicas))
    }

    /// A good run of this workload.
    pub fn good_with(subject: Subject) -> Self {
        let mut history = Self::started(subject);
        history.finish();
        history
    }

    /// A good run of this many pods that leaves out some scenarios.
    pub fn good_without(replicas: u32, left_out: Vec<LeftOut>) -> Self {
        let mut history = Self::started(subject(replicas));
        history.described(|run| run.left_out.clone_from(&left_out));
        history.finish_without(|scenario| left_out.iter().any(|it| it.scenario == scenario));
        history
    }

    /// A good run in which every pod is deleted and the primary's server killed, twice.
    pub fn good_twice() -> Self {
        let mut history = Self::started(subject(3));
        history.deployed();
        history.replicate();
        for _ in 0..2 {
            history.restart();
            history.unready_pod();
            history.crash();
        }
        history
    }

    /// A run in which every pod of this workload started, one after the other.
    pub(super) fn started(subject: Subject) -> Self {
        let mut history = Self::in_its_own_cluster(subject);
        history.step(Scenario::Deploy, Phase::Begin);
        history.applied();
        for pod in history.pod_names() {
            history.starts(&pod);
        }
        history
    }

    /// A run of a set that wrongly creates its pods all at once and is good otherwise.
    pub fn parallel() -> Self {
        let mut history = Self::in_its_own_cluster(subject(3));
        history.step(Scenario::Deploy, Phase::Begin);
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

    /// A run that made its own cluster and has just started.
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

    /// A pod terminates and is gone.
    pub fn goes(&mut self, pod: &str) -> u64 {
        self.deleting(pod);
        self.pass_ms(800);
        self.server_ends(pod, 0);
        self.deleted(pod)
    }

    /// Everything after the first start of the pods.
    fn finish(&mut self) {
        self.finish_without(|_| false);
    }

    fn finish_without(&mut self, left_out: impl Fn(Scenario) -> bool) {
        self.acts(|scenario| scenario != Scenario::Upgrade && !left_out(scenario));
        for scenario in Scenario::all().filter(|scenario| !left_out(*scenario)) {
            self.plays(scenario);
        }
    }

    fn plays(&mut self, scenario: Scenario) {
        match scenario {
            Scenario::Deploy => self.deployed(),
            Scenario::Replicate => self.replicate(),
            Scenario::Restart => self.restart(),
            Scenario::Unready => self.unready_pod(),
            Scenario::ServerKill => self.crash(),
            Scenario::DeleteAll => self.together(),
            Scenario::Scale => self.scale(),
            Scenario::Grow => self.grow(),
            Scenario::Roll => self.roll(),
            Scenario::Drain => self.drain(),
            Scenario::NodePause | Scenario::NodeStop | Scenario::DnsReplace | Scenario::ApiserverKill => {
                self.node_or_service(scenario)
            }
            Scenario::PowerCut => self.power_cuts(),
            Scenario::Claims => self.claims(),
            Scenario::Settle => self.settle(),
            Scenario::Teardown => self.teardown(),
            Scenario::Upgrade => {}
        }
    }

    /// Limits the run to these scenarios.
    pub(super) fn acts(&mut self, wanted: impl Fn(Scenario) -> bool) {
        self.described(|run| run.scenarios.retain(|scenario| wanted(*scenario)));
    }

    fn described(&mut self, mut otherwise: impl FnMut(&mut Run)) {
        for record in &mut self.records {
            if let What::Run(run) = &mut record.what {
                otherwise(run);
            }
        }
    }

    fn teardown(&mut self) {
        self.step(Scenario::Teardown, Phase::Begin);
        self.fault(Act::Teardown);
        for pod in self.there() {
            self.goes(&pod);
        }
        self.set_goes();
        self.fault(Act::DeleteClaims);
        for claim in self.claim_names() {
            self.claim_goes(&claim);
        }
        let left = self.snapshot(SnapshotOf::LeftoverObjects, json!([]));
        self.proved(Act::Teardown, left);
        self.step(Scenario::Teardown, Phase::End);
        self.run_step("delete the cluster", Phase::Begin);
        self.run_step("delete the cluster", Phase::End);
        self.snapshot(SnapshotOf::LeftoverResources, json!([]));
    }

    /// The existing pods, highest ordinal first.
    fn there(&mut self) -> Vec<String> {
        let there = |pod: &String| self.pods.iter().any(|it| it.name == *pod && !it.gone);
        let mut pods: Vec<String> = self.subject.pods().filter(there).collect();
        pods.reverse();
        pods
    }

    pub(super) fn deployed(&mut self) {
        let checkpoint = Checkpoint::Deployed;
        for pod in self.pod_names() {
            self.names(&checkpoint, &pod);
            self.identity(&checkpoint, &pod);
            let settings = [("sync_binlog", "1"), ("innodb_flush_log_at_trx_commit", "1"), ("relay_log_recovery", "1")];
            self.sql_row(&checkpoint, &pod, Question::Settings, settings);
        }
        self.snapshot(SnapshotOf::Corefile, json!(COREFILE));
        self.swept(&checkpoint);
        self.looked_up(&checkpoint);
        self.fault(Act::Reapply);
        let proof = self.applied();
        self.pass_ms(1_000);
        self.proved(Act::Reapply, proof);
        self.step(Scenario::Deploy, Phase::End);
    }

    pub fn swept(&mut self, checkpoint: &Checkpoint) {
        self.asked_for_service(checkpoint);
        self.pod_names().iter().for_each(|pod| self.asked_for_pod(checkpoint, pod));
        self.asked_for_ports(checkpoint);
        self.asked_for_addresses(checkpoint);
    }

    pub fn names(&mut self, checkpoint: &Checkpoint, pod: &str) {
        self.exec(checkpoint, pod, &["hostname"], pod);
        self.exec(checkpoint, pod, &["hostname", "-f"], &self.subject.fqdn(pod));
    }

    pub fn identity(&mut self, checkpoint: &Checkpoint, pod: &str) {
        let ordinal = self.subject.ordinal_of(pod).unwrap_or_default();
        let (id, uuid) = ((100 + ordinal).to_string(), format!("{UUID}{ordinal}"));
        let columns = [("hostname", pod), ("server_id", &id), ("server_uuid", &uuid), ("version", "8.4.6")];
        self.sql_row(checkpoint, pod, Question::Identity, columns);
    }

    pub(super) fn gtids(&self) -> String {
        format!("{UUID}0:1-{}", self.ledger.len())
    }

    pub fn status(&mut self, checkpoint: &Checkpoint, pod: &str) {
        let host = self.subject.fqdn(&self.subject.primary());
        let threads = [("Replica_IO_Running", "Yes"), ("Replica_SQL_Running", "Yes"), ("Source_Host", &host)];
        self.sql_row(checkpoint, pod, Question::ReplicaStatus, threads);
    }

    pub fn barrier(&mut self, checkpoint: &Checkpoint, pod: &str) {
        let set = self.gtids();
        self.sql_row(checkpoint, pod, Question::Barrier, [("gtid_set", &set), ("reached", "1")]);
    }

    pub fn replicas(&self) -> Vec<String> {
        self.subject.replica_pods().collect()
    }

    pub(super) fn replicate(&mut self) {
        let checkpoint = Checkpoint::Replicating;
        self.step(Scenario::Replicate, Phase::Begin);
        for pod in self.replicas() {
            self.sql(&checkpoint, &pod, Question::Configure, SqlAnswer::Rows(Vec::new()));
        }
        for _ in 0..8 {
            self.write(&checkpoint, "mysql-0");
        }
        self.compared(&checkpoint);
        self.ledger_starts();
        self.step(Scenario::Replicate, Phase::End);
    }

    /// The replicas catch up, and the contents of all servers are queried.
    pub fn compared(&mut self, checkpoint: &Checkpoint) {
        self.replicas().iter().for_each(|pod| self.barrier(checkpoint, pod));
        self.pod_names().iter().for_each(|pod| self.holds(checkpoint, pod));
        for pod in self.replicas() {
            self.status(checkpoint, &pod);
            self.refuses(checkpoint, &pod);
        }
    }

    /// The contents of a server are queried.
    pub fn holds(&mut self, checkpoint: &Checkpoint, pod: &str) {
        let set = self.gtids();
        self.sql_row(checkpoint, pod, Question::GtidExecuted, [("gtid_executed", &set)]);
        let tables = vec![row([("table", "steadfast.ledger"), ("checksum", "77")])];
        self.sql(checkpoint, pod, Question::Digest, SqlAnswer::Rows(tables));
        self.rows(checkpoint, pod);
    }

    pub fn refuses(&mut self, checkpoint: &Checkpoint, pod: &str) {
        let refusal = error(1290, "The MySQL server is running with the --super-read-only option");
        self.sql(checkpoint, pod, Question::TryWrite, refusal);
    }
}
