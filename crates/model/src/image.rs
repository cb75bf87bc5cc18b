//! References to container images.

/// The parts of an image reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image<'a> {
    /// Registry and path.
    pub repository: &'a str,
    /// The part after the colon.
    pub tag: Option<&'a str>,
    /// The part after the `@`.
    pub digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// Parses a reference.
    pub fn parse(reference: &'a str) -> Self {
        let (rest, digest) = reference.split_once('@').map_or((reference, None), |(rest, digest)| (rest, Some(digest)));
        // A colon before the last slash belongs to the registry's port.
        match rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((repository, tag)) => Self { repository, tag: Some(tag), digest },
            None => Self { repository: rest, tag: None, digest },
        }
    }

    /// Whether the reference means the latest image.
    pub fn is_latest(&self) -> bool {
        self.digest.is_none() && self.tag.is_none_or(|tag| tag == "latest")
    }

    /// Whether this is an image of Red Hat, such as `rhel9/mysql-84`. These have variables and paths of their own.
    pub fn is_of_red_hat(&self) -> bool {
        let ends_with_version = self.name().rsplit_once('-').is_some_and(|(_, end)| end.parse::<u32>().is_ok());
        let makers = ["rhel", "centos", "sclorg", "ubi"];
        let of_maker = |part: &str| makers.iter().any(|maker| part.starts_with(maker));
        ends_with_version || self.repository.split('/').any(of_maker)
    }

    /// The last part of the path.
    pub fn name(&self) -> &'a str {
        self.repository.rsplit('/').next().unwrap_or(self.repository)
    }

    /// Whether this is an image of a Galera cluster, whose members may share a `server_id`.
    pub fn is_of_galera(&self) -> bool {
        ["galera", "xtradb-cluster", "pxc"].iter().any(|word| self.name().contains(word))
    }
}
