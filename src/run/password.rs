//! The root password of a workload that the run deployed.

use k8s_openapi::api::core::v1::{ConfigMap, Secret as SecretObject};
use kube::api::Api;

use super::RunError;
use super::test_cluster::TestCluster;
use crate::driver::Made;
use crate::witness::protocol::Secret;
use crate::workload::{self, Credentials, Holder, Key, Manifest};

/// Reads the root password from where the pods get it. The object that holds it is applied first, so that it can be
/// read.
pub(super) async fn password(
    test_cluster: &TestCluster,
    manifests: &[Manifest],
    namespace: &str,
    credentials: &Credentials,
    made: &Made,
) -> Result<Secret, RunError> {
    let key = match credentials {
        Credentials::Empty => return Ok(Secret::from(String::new())),
        Credentials::Literal(password) => return Ok(Secret::from(password.clone())),
        Credentials::Key(key) => key,
    };
    let holds = |manifest: &&Manifest| manifest.kind() == key.kind.kind() && manifest.name() == key.name;
    let own: Vec<Manifest> = manifests.iter().filter(holds).cloned().collect();
    workload::apply(&test_cluster.cluster.client, &own, namespace, &mut *made.lock().await).await?;
    let value = value_of(test_cluster, namespace, key)
        .await
        .map_err(|source| RunError::api("read the root password", source))?;
    let value = value.ok_or_else(|| RunError::NoPassword { key: key.clone() })?;
    Ok(Secret::from(if key.as_file { value.trim_end_matches('\n').to_owned() } else { value }))
}

/// The value of a key in an object of a namespace, if both exist.
async fn value_of(test_cluster: &TestCluster, namespace: &str, key: &Key) -> Result<Option<String>, kube::Error> {
    let client = test_cluster.cluster.client.clone();
    if key.kind == Holder::ConfigMap {
        let map = Api::<ConfigMap>::namespaced(client, namespace).get_opt(&key.name).await?;
        return Ok(map.and_then(|map| map.data?.remove(&key.key)));
    }
    let secret = Api::<SecretObject>::namespaced(client, namespace).get_opt(&key.name).await?;
    let bytes = secret.and_then(|secret| secret.data?.remove(&key.key));
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned()))
}
