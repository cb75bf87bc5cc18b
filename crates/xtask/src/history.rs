//! Fetches the results of earlier nights for `steadfast trend`: the artifacts whose names begin with `results-`.

use std::path::Path;

use crate::command::{Cmd, CommandError, Runner};

/// Fetches the results of this many nights into a directory with the GitHub command line.
///
/// # Errors
/// When the nights cannot be listed.
pub(crate) fn fetch(runner: &dyn Runner, directory: &Path, nights: u32) -> anyhow::Result<()> {
    let list =
        Cmd::new("gh").words("run list --workflow nightly.yml --status completed --limit").arg(nights.to_string());
    let list = runner.output(&list.words("--json databaseId --jq .[].databaseId"))?;
    for night in list.lines() {
        let place = directory.join(night).display().to_string();
        let download = Cmd::new("gh").words("run download").arg(night).words("--pattern results-* --dir").arg(place);
        match runner.run(&download) {
            // GitHub deletes old results, and a night that was cancelled early has none.
            Err(CommandError::Failed { .. }) => {
                runner.tell(&format!("==> the night {night} has no results, or they were deleted"))
            }
            downloaded => downloaded?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::tests::Recorder;

    #[test]
    fn a_night_without_results_does_not_keep_others_from_being_fetched() {
        let runner =
            Recorder { prints: vec![("gh run list", "23\n22\n")], fails: vec!["download 23"], ..Recorder::default() };
        fetch(&runner, Path::new("target/nights"), 14).expect("the nights are listed");
        insta::assert_snapshot!(runner.commands(), @r"
        gh run list --workflow nightly.yml --status completed --limit 14 --json databaseId --jq .[].databaseId
        gh run download 23 --pattern results-* --dir target/nights/23
        ==> the night 23 has no results, or they were deleted
        gh run download 22 --pattern results-* --dir target/nights/22
        ");
    }

    #[test]
    fn nights_that_cannot_be_listed_are_an_error() {
        let runner = Recorder { fails: vec!["run list"], ..Recorder::default() };
        assert!(fetch(&runner, Path::new("target/nights"), 14).is_err());
    }
}
