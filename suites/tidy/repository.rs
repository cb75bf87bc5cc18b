//! The files of the repository that rules apply to. They are found by folder, because a copy may have no Git.

use std::path::{Path, PathBuf};

/// A file of the repository.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Its path from the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// The path of a file that is given relative to the root.
pub(crate) fn path_of(name: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A file's text, or an empty text if the file does not exist.
pub(crate) fn read(name: &str) -> String {
    std::fs::read_to_string(path_of(name)).unwrap_or_default()
}

/// All Rust files.
pub(crate) fn rust() -> Vec<File> {
    let roots = ["src", "crates", "suites", "benches", "fuzz/src", "fuzz/fuzz_targets"];
    below(&roots, &|path| path.extension().is_some_and(|extension| extension == "rs"))
}

/// All pages.
pub(crate) fn documents() -> Vec<File> {
    below(&[".", "docs", "ci"], &|path| path.extension().is_some_and(|extension| extension == "md"))
}

/// Everything that runs without Rust: scripts and the files that they read.
pub(crate) fn scripts() -> Vec<File> {
    below(&["ci", ".github"], &|path| path.extension().is_none_or(|extension| extension == "sh" || extension == "yml"))
}

/// The files in these folders and their subfolders, sorted. The root itself is searched without its subfolders.
fn below(roots: &[&str], wanted: &dyn Fn(&Path) -> bool) -> Vec<File> {
    let mut paths = Vec::new();
    for root in roots {
        collect(&path_of(root), *root != ".", wanted, &mut paths);
    }
    paths.sort();
    let file = |path: PathBuf| {
        let name = path.strip_prefix(path_of("")).expect("below the root").display().to_string();
        Some(File { path: name.trim_start_matches("./").to_owned(), text: std::fs::read_to_string(&path).ok()? })
    };
    paths.into_iter().filter_map(file).collect()
}

fn collect(folder: &Path, deep: bool, wanted: &dyn Fn(&Path) -> bool, paths: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if deep && !path.ends_with("target") {
                collect(&path, deep, wanted, paths);
            }
        } else if wanted(&path) {
            paths.push(path);
        }
    }
}
