//! A kubeconfig, as the harness needs it: its proxy is chosen elsewhere, and what tells its credentials has a deadline.

use kube::config::Kubeconfig;

/// How long a plugin may take to tell credentials: it may have to ask an identity provider.
const PLUGIN_WITHIN_S: u32 = 60;

/// What `timeout` ends with when the time is up.
const TIMED_OUT: i32 = 124;

/// Takes the proxy out that a context's cluster is reached by, and leaves one that nobody uses: the library would take one
/// from the environment otherwise, and compare NO_PROXY with the proxy's own address.
pub(super) fn take_proxy(kubeconfig: &mut Kubeconfig, context: &str) -> Option<String> {
    let context = kubeconfig.contexts.iter().find(|named| named.name == context)?.context.as_ref()?;
    let named = kubeconfig.clusters.iter_mut().find(|named| named.name == context.cluster)?;
    let cluster = named.cluster.as_mut()?;
    let proxy = cluster.proxy_url.replace("http://unused.invalid".to_owned());
    proxy.filter(|proxy| !proxy.is_empty())
}

/// Has every plugin that tells credentials end in time
/// (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>): `timeout` of
/// the coreutils ends it, and leaves it the terminal.
pub(super) fn bound_plugins(kubeconfig: &mut Kubeconfig) {
    let users = kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()?.exec.as_mut());
    for plugin in users {
        let Some(command) = plugin.command.replace("timeout".to_owned()) else { continue };
        let own = plugin.args.take().unwrap_or_default();
        let limit = PLUGIN_WITHIN_S.to_string();
        plugin.args = Some(["--foreground".to_owned(), limit, command].into_iter().chain(own).collect());
    }
}

/// Why no client could be made.
pub(super) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(kube::client::AuthError::AuthExecRun { out, .. }) => {
            let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
            match out.status.code() {
                Some(TIMED_OUT) => {
                    format!(
                        "its plugin for credentials did not end within {PLUGIN_WITHIN_S} s; run it by hand to see what it waits for"
                    )
                }
                _ if said.is_empty() => format!("its plugin for credentials failed: {}", out.status),
                _ => format!("its plugin for credentials failed ({}): {said}", out.status),
            }
        }
        error => error.to_string(),
    }
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
    fn a_plugin_has_a_deadline() {
        let mut kubeconfig = Kubeconfig::from_yaml(FILE).expect("a kubeconfig");
        bound_plugins(&mut kubeconfig);
        let plugin = kubeconfig.auth_infos[0].auth_info.as_ref().and_then(|it| it.exec.as_ref()).expect("a plugin");
        assert_eq!(plugin.command.as_deref(), Some("timeout"));
        assert_eq!(plugin.args.as_deref(), Some(&["--foreground", "60", "tell", "me"].map(str::to_owned)[..]));
    }
}
