//! What a run is told about the workload besides its manifests.

use serde::{Deserialize, Serialize};

use super::password::Key;
use crate::choice::choice;
use crate::witness::protocol::Tls;

/// What the manifests do not say of the workload, or not clearly.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
pub struct Hints {
    /// The StatefulSet to test, if the manifests contain several. All other objects are applied too.
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub statefulset: Option<String>,
    /// The account to log in as instead of root. It needs all privileges of root.
    #[arg(long, value_name = "NAME", requires = "password_from")]
    #[serde(default)]
    pub user: Option<String>,
    /// The location of that account's password, if it does not follow from the manifests: `secret/NAME/KEY`, in the
    /// workload's namespace.
    #[arg(long, value_name = "KEY")]
    #[serde(default)]
    pub password_from: Option<Key>,
    /// When to use TLS for connections to the servers: if they offer it, or always.
    #[arg(long, value_parser = choice::<Tls>(), value_name = "WHEN", default_value = "preferred")]
    #[serde(default)]
    pub tls: Tls,
    /// A Secret in the cluster with the credentials to pull the witness image. It is copied into the namespaces that
    /// the run creates. The pull Secrets that the workload's pods name are used in any case.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = place)]
    #[serde(default)]
    pub pull_secret: Option<String>,
}

impl Hints {
    /// The account to log in as.
    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or("root")
    }

    /// The options that set these hints, as far as they differ from the defaults.
    pub fn options(&self) -> Vec<String> {
        let texts =
            [("--statefulset", &self.statefulset), ("--user", &self.user), ("--pull-secret", &self.pull_secret)];
        let mut options: Vec<String> =
            texts.iter().filter_map(|(flag, text)| Some(format!("{flag} {}", text.as_ref()?))).collect();
        options.extend(self.password_from.iter().map(|key| format!("--password-from {key}")));
        if self.tls == Tls::Required {
            options.push("--tls required".to_owned());
        }
        options
    }
}

/// The name of an object with its namespace.
fn place(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(text.to_owned())
        }
        _ => Err("give NAMESPACE/NAME".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_repeated_with_what_it_was_told() {
        assert_eq!(Hints::default().options(), [] as [&str; 0]);
        let hints = Hints {
            statefulset: Some("db".to_owned()),
            user: Some("admin".to_owned()),
            password_from: Some("secret/db/admin".parse().expect("a key")),
            tls: Tls::Required,
            pull_secret: Some("infra/registry".to_owned()),
        };
        let words =
            "--statefulset db --user admin --pull-secret infra/registry --password-from secret/db/admin --tls required";
        assert_eq!(hints.options().join(" "), words);
        assert_eq!((hints.user(), Hints::default().user()), ("admin", "root"));
    }

    #[test]
    fn a_pull_secret_is_named_with_its_namespace() {
        assert!(place("infra/registry").is_ok());
        assert!(["registry", "/registry", "infra/", "a/b/c"].into_iter().all(|text| place(text).is_err()));
    }
}
