//! A call of the program on files of its own, and what the calls share.

use libtest_mimic::{Failed, Trial};

use super::program::{Place, lab};

/// A workload that can be tested.
pub(crate) const WORKLOAD: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: db
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{port: 3306}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
spec:
  serviceName: db
  replicas: 1
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: server
        image: mysql:5.7
        env: [{name: MYSQL_ROOT_PASSWORD, value: secret}]
";

/// What the workload needs to have no errors.
pub(crate) const TO_RUN: &str =
    "        readinessProbe: {exec: {command: [mysql, --host=127.0.0.1, --password=secret, --execute=SELECT 1]}}
        volumeMounts: [{name: data, mountPath: /var/lib/mysql}]
  volumeClaimTemplates: [{metadata: {name: data}}]
";

/// A stored run in which everything passes.
pub(crate) const STORED: &str = include_str!("../replay/made-good.jsonl");

/// A call that is refused, or whose output is compared with a snapshot.
pub(crate) struct Call {
    name: &'static str,
    files: Vec<(&'static str, String)>,
    pipes: Vec<&'static str>,
    arguments: Vec<&'static str>,
    environment: Vec<(&'static str, &'static str)>,
    code: i32,
    /// Text that standard output must contain. Used where the text comes from judges and may change; they have their
    /// own tests.
    holds: Option<&'static str>,
    /// Whether the run already has a directory, which must contain the reason.
    begun: bool,
}

pub(crate) fn call(name: &'static str, code: i32, arguments: &[&'static str]) -> Call {
    let begun = matches!(arguments[0], "run" | "upgrade");
    let (files, pipes, environment) = Default::default();
    Call { name, files, pipes, arguments: arguments.to_vec(), environment, code, holds: None, begun }
}

impl Call {
    pub(crate) fn with(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.files.push((name, text.into()));
        self
    }

    pub(crate) fn and_arguments(mut self, arguments: &[&'static str]) -> Self {
        self.arguments.extend(arguments);
        self
    }

    /// Adds a pipe that nobody writes to.
    pub(crate) fn with_pipe(mut self, name: &'static str) -> Self {
        self.pipes.push(name);
        self
    }

    pub(crate) fn under(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    /// The command line is refused, so no run begins.
    pub(crate) fn at_once(self) -> Self {
        Self { begun: false, ..self }
    }

    /// Checks only for these words on standard output.
    pub(crate) fn holding(self, words: &'static str) -> Self {
        Self { holds: Some(words), ..self }
    }

    /// Runs the program and checks its answer.
    fn run(self) -> Result<(), Failed> {
        let place = Place::new();
        // Nonexistent programs prove that none is needed.
        place.write("lab.json", &lab("/nowhere/kind", "docker").to_string());
        for (name, text) in &self.files {
            place.write(name, text);
        }
        self.pipes.iter().for_each(|name| place.pipe(name));
        let mut environment = vec![("STEADFAST_LAB", "@/lab.json")];
        environment.extend(&self.environment);
        let answer = place.call(&self.arguments, &environment);
        match self.holds {
            None => answer.is(self.name, self.code)?,
            Some(words) if answer.code == self.code && answer.stdout.contains(words) => {}
            Some(words) => return Err(format!("code {}, not with `{words}`\n{}", answer.code, answer.stdout).into()),
        }
        if self.begun { place.is_refused(&answer) } else { Ok(()) }
    }

    /// The trial that runs it.
    pub(crate) fn trial(self) -> Trial {
        Trial::test(self.name, move || self.run())
    }
}
