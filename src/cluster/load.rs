//! Images: pulled into the engine and loaded into the nodes of kind clusters.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::try_join_all;
use tokio::process::Command;

use super::engine;
use super::lab::Lab;
use super::program::{CommandError, run};

const LOAD_WITHIN: Duration = Duration::from_secs(300);

const ASK_WITHIN: Duration = Duration::from_secs(20);

/// Loads image archives into every node of a cluster, concurrently.
///
/// # Errors
/// When kind fails.
pub async fn load_archives(lab: &Lab, cluster: &str, archives: &[&Path]) -> Result<(), CommandError> {
    let loads = archives.iter().map(|archive| async move {
        let mut command = Command::new(&lab.kind);
        command.args(["load", "image-archive", "--name", cluster]).arg(archive);
        run(&mut command, LOAD_WITHIN).await
    });
    try_join_all(loads).await.map(drop)
}

/// Loads images from the engine into every node of a cluster, concurrently. Each is saved to a file first, because with
/// the containerd image store kind would ask for platforms that are missing
/// (<https://github.com/kubernetes-sigs/kind/issues/3795>).
///
/// # Errors
/// When kind or the engine fails.
pub async fn load_images(lab: &Lab, cluster: &str, images: &[&str]) -> Result<(), CommandError> {
    if images.is_empty() {
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(|source| CommandError::File { path: std::env::temp_dir(), source })?;
    let saves = images.iter().enumerate().map(|(number, image)| {
        let path = folder.path().join(format!("{number}.tar"));
        async move {
            let mut command = Command::new(&lab.docker);
            command.args(["image", "save", "--output"]).arg(&path);
            command.args(engine::save_options(lab, image).await).arg(image);
            run(&mut command, LOAD_WITHIN).await.map(|_| path)
        }
    });
    let archives = try_join_all(saves).await?;
    load_archives(lab, cluster, &archives.iter().map(PathBuf::as_path).collect::<Vec<_>>()).await
}

/// Whether the engine has an image.
pub async fn has_image(lab: &Lab, image: &str) -> bool {
    let inspect = ["image", "inspect", "--format", "{{.Id}}", image];
    run(Command::new(&lab.docker).args(inspect), ASK_WITHIN).await.is_ok()
}

/// Makes the engine have an image: pulls it unless it is there.
///
/// # Errors
/// When the image is missing and cannot be pulled. The error holds the engine's message.
pub async fn provide_image(lab: &Lab, image: &str) -> Result<(), CommandError> {
    if has_image(lab, image).await {
        return Ok(());
    }
    run(Command::new(&lab.docker).args(["pull", "--quiet", image]), LOAD_WITHIN).await.map(drop)
}
