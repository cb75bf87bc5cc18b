//! Prepares a kubeconfig for the harness: takes out the proxy, which is chosen elsewhere, and sets a deadline for
//! credential plugins.

use std::process::Command;

use kube::Config;
use kube::client::AuthError;
use kube::config::{ExecInteractiveMode, Kubeconfig};
use serde_json::Value;

use crate::object::{items, text};

/// The time limit of a credential plugin, in seconds: it may have to contact an identity provider.
const PLUGIN_WITHIN_S: u32 = 60;

/// The exit code of `timeout` when the time is up.
const TIMED_OUT: i32 = 124;

/// The exit code of `timeout` when the plugin also had to be killed.
const KILLED: i32 = 137;

/// Removes and returns the proxy of a context's cluster. Leaves a placeholder, which is never used: otherwise the
/// library would take a proxy from the environment, and compare NO_PROXY with the proxy's own address.
pub(super) fn take_proxy(kubeconfig: &mut Kubeconfig, context: &str) -> Option<String> {
    let context = kubeconfig.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let named = kubeconfig.clusters.iter_mut().find(|named| named.name == context.cluster)?;
    let cluster = named.cluster.as_mut()?;
    let proxy = cluster.proxy_url.replace("http://unused.invalid".to_owned());
    proxy.filter(|proxy| !proxy.is_empty())
}

/// Limits the time of every credential plugin
/// (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>). The
/// `timeout` program of coreutils ends the plugin, with its child processes unless it may need the terminal.
pub(super) fn bound_plugins(kubeconfig: &mut Kubeconfig) {
    if !has_timeout() {
        return;
    }
    let users = kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()?.exec.as_mut());
    for plugin in users {
        let Some(command) = plugin.command.take() else { continue };
        let alone = plugin.interactive_mode == Some(ExecInteractiveMode::Never);
        let terminal = (!alone).then(|| "--foreground".to_owned());
        let options = ["--kill-after=5".to_owned(), PLUGIN_WITHIN_S.to_string(), command];
        plugin.command = Some("timeout".to_owned());
        plugin.args = Some(terminal.into_iter().chain(options).chain(plugin.args.take().unwrap_or_default()).collect());
    }
}

/// Whether a `timeout` program with these options is installed.
fn has_timeout() -> bool {
    let tried = Command::new("timeout").args(["--foreground", "--kill-after=1", "1", "true"]).status();
    tried.is_ok_and(|status| status.success())
}

/// The credentials of a kubeconfig's users: tokens, passwords and keys, the environment of plugins, and the passwords
/// of proxies.
pub(super) fn secrets(kubeconfig: &Kubeconfig) -> Vec<String> {
    let file = serde_json::to_value(kubeconfig).unwrap_or_default();
    let of_users = items(&file, "/users").flat_map(|named| {
        let own = ["/user/token", "/user/password", "/user/client-key-data"].map(|pointer| text(named, pointer));
        let told = items(named, "/user/exec/env").map(|variable| text(variable, "/value"));
        let provider = named.pointer("/user/auth-provider/config").and_then(Value::as_object);
        let provider = provider.into_iter().flat_map(|it| it.values()).map(Value::as_str);
        own.into_iter().chain(told).chain(provider).flatten().collect::<Vec<_>>()
    });
    let of_proxies = items(&file, "/clusters").filter_map(|named| {
        let (login, _) = text(named, "/cluster/proxy-url")?.split_once("://")?.1.rsplit_once('@')?;
        Some(login.split_once(':')?.1)
    });
    of_users.chain(of_proxies).map(str::to_owned).collect()
}

/// Passes the cluster's real proxy to a plugin.
pub(super) fn tell_proxy(config: &mut Config, proxy: Option<&str>) {
    if let Some(cluster) = config.auth_info.exec.as_mut().and_then(|exec| exec.cluster.as_mut()) {
        cluster.proxy_url = proxy.map(str::to_owned);
    }
}

/// Why there are no credentials, if the error says so. The plugin's arguments and output may be secret and are not
/// repeated.
pub(super) fn of_credentials(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let error = causes.filter_map(|cause| cause.downcast_ref::<AuthError>()).next()?;
    let failed = "its credential plugin failed";
    Some(match error {
        AuthError::AuthExecRun { out, .. } => match out.status.code() {
            Some(TIMED_OUT | KILLED) | None => format!(
                "its credential plugin did not finish within {PLUGIN_WITHIN_S} s; run it by hand to see what it waits \
                 for"
            ),
            Some(126 | 127) => "its credential plugin cannot be run, or is not installed".to_owned(),
            _ => format!("{failed} ({}); run it by hand to see its message", out.status),
        },
        AuthError::AuthExecParse(_) => "its credential plugin did not return an ExecCredential".to_owned(),
        AuthError::AuthExecStart(source) => format!("{failed}: {source}"),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
apiVersion: v1
kind: Config
clusters: [{name: one, cluster: {server: 'https://10.0.0.1', proxy-url: 'http://proxy'}}, {name: two, cluster: {server: 'https://10.0.0.2'}}]
contexts: [{name: a, context: {cluster: one, user: u}}, {name: b, context: {cluster: two, user: u}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: tell, args: [me]}}}]
";

    #[test]
    fn the_proxy_of_a_context_is_that_of_its_cluster() {
        let mut kubeconfig = Kubeconfig::from_yaml(FILE).expect("a kubeconfig");
        assert_eq!(take_proxy(&mut kubeconfig, "a").as_deref(), Some("http://proxy"));
        assert_eq!(take_proxy(&mut kubeconfig, "b"), None);
        let left =
            kubeconfig.clusters.iter().map(|named| named.cluster.as_ref().and_then(|it| it.proxy_url.as_deref()));
        assert_eq!(left.collect::<Vec<_>>(), [Some("http://unused.invalid"); 2]);
    }

    #[test]
    fn whatever_somebody_logs_in_with_is_secret() {
        let file = "
clusters: [{name: c, cluster: {server: 'https://10.0.0.1', proxy-url: 'http://me:of-proxy@proxy:3128'}}]
users:
- {name: a, user: {token: of-token}}
- {name: b, user: {username: me, password: of-user, client-key-data: b2Yta2V5}}
- {name: c, user: {exec: {apiVersion: v1, command: tell, args: [me], env: [{name: A, value: of-plugin}]}}}
- {name: d, user: {auth-provider: {name: oidc, config: {id-token: of-provider}}}}
";
        let found = secrets(&Kubeconfig::from_yaml(file).expect("a kubeconfig"));
        assert_eq!(found, ["of-token", "of-user", "b2Yta2V5", "of-plugin", "of-provider", "of-proxy"]);
    }

    #[test]
    fn a_plugin_has_a_deadline() {
        let mut kubeconfig = Kubeconfig::from_yaml(FILE).expect("a kubeconfig");
        bound_plugins(&mut kubeconfig);
        let plugin = kubeconfig.auth_infos[0].auth_info.as_ref().and_then(|it| it.exec.as_ref()).expect("a plugin");
        assert_eq!(plugin.command.as_deref(), Some("timeout"));
        assert_eq!(
            plugin.args.as_deref(),
            Some(&["--foreground", "--kill-after=5", "60", "tell", "me"].map(str::to_owned)[..])
        );
    }
}
