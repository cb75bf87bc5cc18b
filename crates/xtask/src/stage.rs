//! The table of stages. The nightly list, the help, the jobs of workflows and the commands are derived from it.

use crate::part::Part;

/// The work of a stage. Each task has its function in `stages`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    /// Prepares the lab.
    Setup,
    /// Format, lints, scripts, workflows, documentation.
    Style,
    /// Licences, sources and advisories.
    Dependencies,
    /// The suite `upgrade`.
    Upgrade,
    /// All tests that need no cluster.
    Offline,
    /// Mutations of the judges.
    Judges(Part),
    /// The suite `phases`.
    Phases,
    /// The fuzz targets.
    Fuzz,
    /// The suites without their own stage.
    Clusters,
    /// The suite `botched`.
    Botched,
    /// The suite `conformance`.
    Seed,
    /// `steadfast run` with another Kubernetes version or another server.
    Conformance(Cell),
    /// The suite `mutants`.
    Mutants(Part),
    /// The suite `variants`.
    Variants(Part),
    /// The trend over the runs in these directories.
    Trend(Vec<String>),
}

/// The versions of one conformance run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    /// The Kubernetes version.
    pub kubernetes: String,
    /// The server's image.
    pub server: String,
}

/// The arguments of a stage, and the task that they give.
#[derive(Debug)]
pub(crate) enum Takes {
    /// No arguments.
    Nothing(Task),
    /// A Kubernetes version and a server.
    Cell(fn(Cell) -> Task),
    /// One of the parts.
    Part(Parts, fn(Part) -> Task),
    /// Any number of directories.
    Folders(fn(Vec<String>) -> Task),
}

/// The number of parts of a stage, and who runs them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// The number of parts. A night has a job for each.
    pub of: u32,
    /// The deadline if one machine runs all parts at once, in minutes.
    pub alone: u32,
    /// Which callers run only one part, a different one each day.
    pub daily: Daily,
}

/// Which callers run only one part of a stage, a different one each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Daily {
    /// Pull requests.
    PullRequests,
    /// Nightly runs too, because all parts together take longer than a night.
    Everybody,
}

/// What a stage mostly does. One machine runs several such stages at the same time: a stage that waits for clusters
/// leaves the processor to one that computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// It waits for clusters.
    Waits,
    /// It computes.
    Computes,
}

/// Which workflows have jobs for a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jobs {
    /// No workflow: each job prepares its own needs, and the trend has its own job.
    Nobody,
    /// Nights.
    Night,
    /// Nights and pull requests.
    Everybody,
}

/// A stage.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The name.
    pub name: &'static str,
    /// The arguments.
    pub takes: Takes,
    /// The deadline in minutes in a separate job, whose cache may be empty.
    pub minutes: u32,
    /// Whether another stage may run beside it. A stage with critical times needs the machine for itself, and so does
    /// a stage that fills the machine with clusters.
    pub beside: Option<Beside>,
    /// The workflows that have jobs for it.
    pub jobs: Jobs,
    /// A description for the help.
    pub about: &'static str,
}

impl Stage {
    /// The call, for people.
    pub(crate) fn usage(&self) -> String {
        let arguments = match self.takes {
            Takes::Nothing(_) => "",
            Takes::Cell(_) => " KUBERNETES SERVER",
            Takes::Part(..) => " PART",
            Takes::Folders(_) => " [DIR]...",
        };
        format!("{}{arguments}", self.name)
    }

    /// The parts, if there are any.
    pub(crate) fn parts(&self) -> Option<Parts> {
        match self.takes {
            Takes::Part(parts, _) => Some(parts),
            Takes::Nothing(_) | Takes::Cell(_) | Takes::Folders(_) => None,
        }
    }
}

/// All stages, one per line, for the help.
pub(crate) fn list() -> String {
    let line = |stage: &Stage| format!("  {:<29}  {}\n", stage.usage(), stage.about);
    format!("Stages:\n{}", STAGES.iter().map(line).collect::<String>())
}

/// All stages, in the order in which one machine runs them.
pub(crate) static STAGES: [Stage; 15] = [
    Stage {
        name: "setup",
        takes: Takes::Nothing(Task::Setup),
        minutes: 90,
        beside: None,
        jobs: Jobs::Nobody,
        about: "prepares everything that the other stages need",
    },
    Stage {
        name: "style",
        takes: Takes::Nothing(Task::Style),
        minutes: 40,
        beside: None,
        jobs: Jobs::Everybody,
        about: "format, lints, scripts, workflows, documentation",
    },
    Stage {
        name: "dependencies",
        takes: Takes::Nothing(Task::Dependencies),
        minutes: 40,
        beside: None,
        jobs: Jobs::Everybody,
        about: "licences, sources and advisories of the dependencies",
    },
    Stage {
        name: "upgrade",
        takes: Takes::Nothing(Task::Upgrade),
        minutes: 90,
        beside: Some(Beside::Waits),
        jobs: Jobs::Night,
        about: "the suite upgrade: to the newest Kubernetes, with all checks",
    },
    Stage {
        name: "offline",
        takes: Takes::Nothing(Task::Offline),
        minutes: 90,
        beside: Some(Beside::Computes),
        jobs: Jobs::Everybody,
        about: "all tests that need no cluster and no container",
    },
    Stage {
        name: "judges",
        takes: Takes::Part(Parts { of: 16, alone: 180, daily: Daily::Everybody }, Task::Judges),
        minutes: 180,
        beside: Some(Beside::Computes),
        jobs: Jobs::Night,
        about: "a part of the mutations of the judges, which tests must detect",
    },
    Stage {
        name: "phases",
        takes: Takes::Nothing(Task::Phases),
        minutes: 90,
        beside: Some(Beside::Waits),
        jobs: Jobs::Night,
        about: "the suite phases: `steadfast before` and `steadfast after`",
    },
    Stage {
        name: "fuzz",
        takes: Takes::Nothing(Task::Fuzz),
        minutes: 60,
        beside: Some(Beside::Computes),
        jobs: Jobs::Night,
        about: "each fuzz target for some minutes",
    },
    Stage {
        name: "clusters",
        takes: Takes::Nothing(Task::Clusters),
        minutes: 120,
        beside: Some(Beside::Waits),
        jobs: Jobs::Everybody,
        about: "the suites without their own stage",
    },
    Stage {
        name: "botched",
        takes: Takes::Nothing(Task::Botched),
        minutes: 90,
        beside: None,
        jobs: Jobs::Night,
        about: "the suite botched: upgrades that go wrong",
    },
    Stage {
        name: "seed",
        takes: Takes::Nothing(Task::Seed),
        minutes: 90,
        beside: None,
        jobs: Jobs::Everybody,
        about: "the suite conformance: all checks of the seed",
    },
    Stage {
        name: "conformance",
        takes: Takes::Cell(Task::Conformance),
        minutes: 90,
        beside: None,
        jobs: Jobs::Night,
        about: "`steadfast run` with this Kubernetes version and server",
    },
    Stage {
        name: "mutants",
        takes: Takes::Part(Parts { of: 8, alone: 240, daily: Daily::PullRequests }, Task::Mutants),
        minutes: 90,
        beside: None,
        jobs: Jobs::Everybody,
        about: "a part of the suite mutants, such as 2/8",
    },
    Stage {
        name: "variants",
        takes: Takes::Part(Parts { of: 8, alone: 240, daily: Daily::PullRequests }, Task::Variants),
        minutes: 120,
        beside: None,
        jobs: Jobs::Everybody,
        about: "a part of the suite variants",
    },
    Stage {
        name: "trend",
        takes: Takes::Folders(Task::Trend),
        minutes: 15,
        beside: None,
        jobs: Jobs::Nobody,
        about: "the trend over the runs in these directories",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_stage_has_a_name_of_its_own_that_is_a_plain_word() {
        let names: BTreeSet<&str> = STAGES.iter().map(|stage| stage.name).collect();
        assert_eq!(names.len(), STAGES.len());
        assert!(names.iter().all(|name| name.chars().all(|char| char.is_ascii_lowercase())));
    }

    #[test]
    fn deadlines_and_parts_make_sense() {
        for stage in &STAGES {
            assert!(stage.minutes > 0 && !stage.about.is_empty(), "{}", stage.name);
            if let Some(parts) = stage.parts() {
                assert!(parts.of > 1 && parts.alone >= stage.minutes, "{}", stage.name);
                assert_ne!(stage.jobs, Jobs::Nobody, "{} has parts for jobs, and no jobs", stage.name);
            }
        }
    }

    #[test]
    fn both_kinds_run_beside_each_other() {
        for kind in [Beside::Waits, Beside::Computes] {
            assert!(STAGES.iter().any(|stage| stage.beside == Some(kind)));
        }
    }

    #[test]
    fn the_machine_is_made_ready_first_and_the_trend_comes_last() {
        assert_eq!((STAGES[0].name, STAGES[STAGES.len() - 1].name), ("setup", "trend"));
    }

    #[test]
    fn the_help_lists_all_stages() {
        insta::assert_snapshot!(list(), @r"
        Stages:
          setup                          prepares everything that the other stages need
          style                          format, lints, scripts, workflows, documentation
          dependencies                   licences, sources and advisories of the dependencies
          upgrade                        the suite upgrade: to the newest Kubernetes, with all checks
          offline                        all tests that need no cluster and no container
          judges PART                    a part of the mutations of the judges, which tests must detect
          phases                         the suite phases: `steadfast before` and `steadfast after`
          fuzz                           each fuzz target for some minutes
          clusters                       the suites without their own stage
          botched                        the suite botched: upgrades that go wrong
          seed                           the suite conformance: all checks of the seed
          conformance KUBERNETES SERVER  `steadfast run` with this Kubernetes version and server
          mutants PART                   a part of the suite mutants, such as 2/8
          variants PART                  a part of the suite variants
          trend [DIR]...                 the trend over the runs in these directories
        ");
    }
}
