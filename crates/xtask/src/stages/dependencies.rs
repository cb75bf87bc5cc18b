//! The stage `dependencies`.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::Stages;
use super::advisories::Advisories;
use crate::command::{Cmd, CommandError};

impl Stages<'_> {
    pub(super) fn dependencies(&self) -> anyhow::Result<()> {
        self.tool("deny", &self.versions.cargo_deny)?;
        self.deny("", "bans licenses sources")?;
        let advisories = Advisories::in_cache(&self.cache());
        // The list of advisories is a separate repository, which not every machine can reach.
        match self.runner.run(&Cmd::cargo("deny --locked fetch db")) {
            Ok(()) => {
                advisories.note_fetched()?;
                return self.deny("", "advisories");
            }
            Err(CommandError::Failed { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        // The advisories of the last fetch are still useful.
        if self.has_old_advisories() {
            self.deny("--offline", "advisories")?;
        }
        self.runner.tell(&advisories.may_wait(SystemTime::now())?);
        Ok(())
    }

    /// Checks the main workspace and the separate workspace `fuzz`.
    fn deny(&self, option: &str, checks: &str) -> anyhow::Result<()> {
        for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
            let deny = Cmd::cargo("deny --locked").words(option).arg("--manifest-path").arg(manifest);
            self.runner.run(&deny.words("--config deny.toml check").words(checks))?;
        }
        Ok(())
    }

    /// The cache of the lab. `ci/lib/path.sh` uses the same path.
    fn cache(&self) -> PathBuf {
        let caches = self.variable("XDG_CACHE_HOME").map(PathBuf::from);
        caches.or_else(|| self.below_home(".cache")).unwrap_or_else(|| PathBuf::from("/var/cache")).join("steadfast")
    }

    fn has_old_advisories(&self) -> bool {
        let cargo = self.variable("CARGO_HOME").map(PathBuf::from).or_else(|| self.below_home(".cargo"));
        let entries = cargo.and_then(|cargo| fs::read_dir(cargo.join("advisory-dbs")).ok()).into_iter().flatten();
        entries.filter_map(Result::ok).any(|entry| entry.path().is_dir())
    }

    fn below_home(&self, directory: &str) -> Option<PathBuf> {
        self.variable("HOME").map(|home| PathBuf::from(home).join(directory))
    }
}
