//! What the scenarios do to the workload, and how it recovers.

use super::History;
use crate::evidence::{Act, Checkpoint, Phase, Question, Retention, Scenario, SqlAnswer};

impl History {
    pub fn restart(&mut self) {
        self.step(Scenario::Restart, Phase::Begin);
        for pod in self.pod_names().iter().rev() {
            self.restarts(pod);
        }
        self.step(Scenario::Restart, Phase::End);
    }

    fn restarts(&mut self, pod: &str) {
        let (before, after) =
            (Checkpoint::BeforeDeletion { pod: pod.into() }, Checkpoint::Deletion { pod: pod.into() });
        self.write(&before, "mysql-0");
        if self.replicas().iter().any(|replica| replica == pod) {
            self.barrier(&before, pod);
        }
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
        self.hands_over();
    }

    /// The second pod, or the only one, is held unready; meanwhile the first one is deleted without grace.
    pub fn unready_pod(&mut self) {
        self.step(Scenario::Unready, Phase::Begin);
        let alone = self.subject.replicas == 1;
        let held = self.subject.nth(u32::from(!alone));
        let checkpoint = Checkpoint::Held { pod: held.clone() };
        self.held(&held);
        self.pass_ms(200);
        self.asked_for_pod(&checkpoint, &held);
        self.asked_for_service(&checkpoint);
        if !alone {
            self.killed(&self.subject.primary());
        }
        self.released(&held);
        let checkpoint = Checkpoint::Released { pod: held };
        for replica in self.replicas() {
            self.barrier(&checkpoint, &replica);
            self.rows(&checkpoint, &replica);
        }
        self.hands_over();
        self.step(Scenario::Unready, Phase::End);
    }

    /// A pod is deleted without grace and comes back.
    pub fn killed(&mut self, pod: &str) {
        let (before, after) = (Checkpoint::BeforeKill { pod: pod.into() }, Checkpoint::Kill { pod: pod.into() });
        self.write(&before, "mysql-0");
        self.rows(&before, pod);
        self.identity(&before, pod);
        let act = Act::DeletePod { pod: pod.into(), uid: self.uid(pod), grace_s: Some(0) };
        self.fault(act.clone());
        let gone = self.deleted(pod);
        self.proved(act, gone);
        self.starts(pod);
        self.identity(&after, pod);
        self.names(&after, pod);
        self.rows(&after, pod);
        self.pass_ms(300);
        self.asked_for_pod(&after, pod);
    }

    pub fn scale(&mut self) {
        let (from, to) = (self.subject.replicas, 1);
        self.step(Scenario::Scale, Phase::Begin);
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
            surplus.iter().for_each(|pod| self.asked_for_pod(&Checkpoint::ScaledDown, pod));
            self.asked_for_service(&Checkpoint::ScaledDown);
            self.write(&Checkpoint::ScaledDown, "mysql-0");
            let primary = self.subject.primary();
            self.held(&primary);
            self.fault(up.clone());
            self.scaled(from);
            self.pass_ms(1_000);
            self.released(&primary);
            surplus.iter().for_each(|pod| self.starts(pod));
            let proof = self.set_seen();
            self.proved(up, proof);
            self.swept(&Checkpoint::ScaledUp);
            self.pod_names().iter().for_each(|pod| self.identity(&Checkpoint::ScaledUp, pod));
            self.compared(&Checkpoint::ScaledUp);
        }
        self.hands_over();
        self.step(Scenario::Scale, Phase::End);
    }

    /// The primary's server is killed in its pod.
    pub fn crash(&mut self) {
        self.step(Scenario::ServerKill, Phase::Begin);
        self.crashes(&self.subject.primary());
        self.recovered(Scenario::ServerKill);
    }

    /// A pod's server is killed, and its container restarts.
    fn crashes(&mut self, pod: &str) {
        let (before, after) = (Checkpoint::BeforeKill { pod: pod.into() }, Checkpoint::Kill { pod: pod.into() });
        self.write(&before, "mysql-0");
        self.rows(&before, pod);
        self.identity(&before, pod);
        let act = Act::KillServer { pod: pod.into(), uid: self.uid(pod) };
        self.fault(act.clone());
        self.pass_ms(200);
        self.server_starts_again(pod, 137);
        self.unready(pod);
        self.pass_ms(2_500);
        let back = self.ready(pod);
        self.proved(act, back);
        self.rows(&after, pod);
        self.identity(&after, pod);
    }

    /// All pods are deleted at once, and come back in order.
    pub fn together(&mut self) {
        self.step(Scenario::DeleteAll, Phase::Begin);
        self.fault(Act::DeleteAllPods);
        let pods = self.pod_names();
        let gone = pods.iter().rev().map(|pod| self.goes(pod)).last().unwrap_or_default();
        self.proved(Act::DeleteAllPods, gone);
        pods.iter().for_each(|pod| self.starts(pod));
        self.recovered(Scenario::DeleteAll);
    }

    /// The set is scaled up by one pod, which joins, and down again.
    pub fn grow(&mut self) {
        self.step(Scenario::Grow, Phase::Begin);
        let all = self.subject.replicas;
        if all > 1 {
            let (pod, checkpoint) = (self.subject.nth(all), Checkpoint::Joined);
            let (up, down) = (Act::Scale { from: all, to: all + 1 }, Act::Scale { from: all + 1, to: all });
            self.fault(up.clone());
            self.scaled(all + 1);
            self.starts(&pod);
            let proof = self.set_seen();
            self.proved(up, proof);
            self.sql(&checkpoint, &pod, Question::Configure, SqlAnswer::Rows(Vec::new()));
            self.joins(&checkpoint, &pod);
            self.fault(down.clone());
            self.scaled(all);
            let gone = self.goes(&pod);
            self.proved(down, gone);
        }
        self.recovered(Scenario::Grow);
    }

    /// A new replica catches up with the others, and is asked the same questions.
    fn joins(&mut self, checkpoint: &Checkpoint, pod: &str) {
        let replicas: Vec<String> = self.replicas().into_iter().chain([pod.to_owned()]).collect();
        replicas.iter().for_each(|replica| self.barrier(checkpoint, replica));
        self.holds(checkpoint, &self.subject.primary());
        for replica in &replicas {
            self.holds(checkpoint, replica);
            self.status(checkpoint, replica);
            self.refuses(checkpoint, replica);
        }
        self.identity(checkpoint, pod);
        self.names(checkpoint, pod);
        self.asked_for_pod(checkpoint, pod);
        let addresses: Vec<String> =
            self.pod_names().into_iter().chain([pod.to_owned()]).filter_map(|pod| self.address(&pod)).collect();
        self.asked(checkpoint, &self.subject.service_fqdn(), &addresses);
    }

    /// A node is drained, and its pod comes back elsewhere.
    pub fn drain(&mut self) {
        let node = || "worker".to_owned();
        let last = self.subject.nth(self.subject.replicas - 1);
        self.step(Scenario::Drain, Phase::Begin);
        self.fault(Act::Drain { node: node() });
        let cordoned = self.node_is("worker", "cordoned");
        let gone = self.goes(&last);
        self.proved_by(Act::Drain { node: node() }, vec![cordoned, gone]);
        self.at_once(Act::Uncordon { node: node() });
        self.starts(&last);
        self.recovered(Scenario::Drain);
    }

    /// A node, the DNS servers or the API server are disrupted, and no pod is deleted.
    pub fn node_or_service(&mut self, scenario: Scenario) {
        let node = || "worker".to_owned();
        let acts = match scenario {
            Scenario::NodePause => vec![Act::PauseNode { node: node() }, Act::UnpauseNode { node: node() }],
            Scenario::NodeStop => vec![Act::StopNode { node: node() }, Act::StartNode { node: node() }],
            Scenario::DnsReplace => vec![Act::RestartDns],
            Scenario::ApiserverKill => vec![Act::RestartApiServer],
            other => panic!("{other} is about no node, nor a service of the cluster"),
        };
        self.step(scenario, Phase::Begin);
        acts.into_iter().for_each(|act| self.at_once(act));
        self.recovered(scenario);
    }

    /// An act that no watch event shows.
    fn at_once(&mut self, act: Act) {
        self.fault(act.clone());
        self.pass_ms(700);
        let proof = match &act {
            Act::PauseNode { node } => vec![self.node_is(node, "paused")],
            Act::UnpauseNode { node } => vec![self.node_is(node, "running")],
            Act::StopNode { node } => vec![self.node_is(node, "exited")],
            Act::StartNode { node } => vec![self.node_is(node, "running"), self.node_is(node, "Ready")],
            Act::Uncordon { node } => vec![self.node_is(node, "schedulable")],
            Act::RestartDns => vec![self.new_dns_servers(["coredns-c", "coredns-d"])],
            Act::RestartApiServer => vec![self.api_server("700 since 08:00:00")],
            _ => panic!("{act} is told of by a watch"),
        };
        self.proved_by(act, proof);
    }

    /// The workload has recovered from a scenario, and its whole state is queried.
    fn recovered(&mut self, scenario: Scenario) {
        self.recovered_at(&Checkpoint::Recovered { scenario });
        self.step(scenario, Phase::End);
    }

    pub(super) fn recovered_at(&mut self, checkpoint: &Checkpoint) {
        self.write(checkpoint, "mysql-0");
        self.compared(checkpoint);
        self.pod_names().iter().for_each(|pod| self.identity(checkpoint, pod));
        self.swept(checkpoint);
        self.hands_over();
    }

    /// The template changes for the last pod, then for all pods; then it is broken and reverted.
    pub fn roll(&mut self) {
        self.step(Scenario::Roll, Phase::Begin);
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
        self.recovered(Scenario::Roll);
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

    /// The last pod is scaled away with its claims, and comes back with new ones.
    pub fn claims(&mut self) {
        self.step(Scenario::Claims, Phase::Begin);
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
        self.sql(&Checkpoint::Replicating, &pod, Question::Configure, SqlAnswer::Rows(Vec::new()));
        self.recovered(Scenario::Claims);
    }
}
