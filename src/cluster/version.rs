//! Kubernetes versions, and which upgrades between them are possible.

use std::fmt;
use std::str::FromStr;

/// A release of Kubernetes: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32, pub u32, pub u32);

/// A text that is no version.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a Kubernetes version; give one such as 1.37.2")]
pub struct VersionError(String);

/// An upgrade that is not possible.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UpgradeError {
    /// It is a downgrade.
    #[error("{from} to {to} is a downgrade, which Kubernetes does not support; set --to to a version above {from}")]
    Downgrade {
        /// The version there is.
        from: Version,
        /// The version asked for.
        to: Version,
    },
    /// The cluster already runs this version.
    #[error(
        "the cluster already runs {0}; set --to to a later version, or start from an earlier version with --kubernetes"
    )]
    Same(Version),
    /// The upgrade skips a minor version.
    #[error(
        "{from} to {to} skips a minor version, which kubeadm does not support; upgrade to a release of {}.{} first, or \
         start from one of those with --kubernetes",
        .to.0, .to.1.saturating_sub(1)
    )]
    SkippedMinor {
        /// The version there is.
        from: Version,
        /// The version asked for.
        to: Version,
    },
    /// No older version is ready that can be upgraded to it.
    #[error(
        "no prepared node image can be upgraded to {to} (prepared: {ready}); run ci/setup --kubernetes VERSION with a \
         release of {}.{} or an earlier one of {}.{}",
        .to.0, .to.1.saturating_sub(1), .to.0, .to.1
    )]
    NothingBefore {
        /// The version asked for.
        to: Version,
        /// The versions there are.
        ready: String,
    },
}

impl FromStr for Version {
    type Err = VersionError;

    /// Parses `1.37.2` or `v1.37.2`. A suffix after a hyphen or plus sign marks a build and is ignored.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let refuse = || VersionError(text.to_owned());
        let release = text.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
        let numbers: Vec<u32> = release.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| refuse())?;
        match numbers[..] {
            [major, minor, patch] => Ok(Self(major, minor, patch)),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    /// Whether an upgrade from this version to another one is possible: to a later patch, or to the next minor version
    /// (<https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/>).
    ///
    /// # Errors
    /// When it is not. The error says what to request instead.
    pub fn leads_to(self, to: Self) -> Result<(), UpgradeError> {
        match () {
            () if to == self => Err(UpgradeError::Same(self)),
            () if to < self => Err(UpgradeError::Downgrade { from: self, to }),
            () if to.0 != self.0 || to.1 > self.1 + 1 => Err(UpgradeError::SkippedMinor { from: self, to }),
            () => Ok(()),
        }
    }

    /// The latest of these versions that can be upgraded to `to`.
    ///
    /// # Errors
    /// When there is none.
    pub fn before(to: Self, ready: &[Self]) -> Result<Self, UpgradeError> {
        let possible = ready.iter().copied().filter(|from| from.leads_to(to).is_ok());
        possible.max().ok_or_else(|| {
            let ready: Vec<String> = ready.iter().map(ToString::to_string).collect();
            let ready = if ready.is_empty() { "none".to_owned() } else { ready.join(", ") };
            UpgradeError::NothingBefore { to, ready }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn a_version_is_read_with_and_without_its_letter() {
        assert_eq!(version("1.37.2"), Version(1, 37, 2));
        assert_eq!(version("v1.37.2-rc.1+build"), Version(1, 37, 2));
        assert_eq!(version("v1.37.2").to_string(), "v1.37.2");
        for text in ["", "1.37", "1.37.2.1", "new", "1.x.2", "vv"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_later_patch_or_the_next_minor_is_an_upgrade() {
        let try_it = |from, to| version(from).leads_to(version(to)).map_err(|error| error.to_string());
        assert_eq!(try_it("1.36.3", "1.37.2"), Ok(()));
        assert_eq!(try_it("1.37.0", "1.37.2"), Ok(()));
        let refused: Vec<String> =
            [("1.37.2", "1.37.2"), ("1.37.2", "1.36.3"), ("1.35.4", "1.37.2"), ("1.36.3", "2.0.0")]
                .iter()
                .map(|(from, to)| try_it(from, to).expect_err("no upgrade"))
                .collect();
        insta::assert_snapshot!(refused.join("\n"));
    }

    #[test]
    fn the_latest_version_that_leads_there_is_taken() {
        let ready = ["1.35.4", "1.36.1", "1.36.3", "1.37.2"].map(version);
        assert_eq!(Version::before(version("1.37.2"), &ready), Ok(version("1.36.3")));
        assert_eq!(Version::before(version("1.37.3"), &ready), Ok(version("1.37.2")));
        let none = Version::before(version("1.39.0"), &ready).expect_err("nothing leads there").to_string();
        insta::assert_snapshot!(none);
    }
}
