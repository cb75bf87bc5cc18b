//! What servers and containers reported of themselves, at any checkpoint.

use std::collections::HashMap;
use std::hash::Hash;

use crate::Finding;
use crate::assessment::Judged;
use crate::case::{Case, Seen};
use crate::evidence::{Checkpoint, Exec, ExecAnswer, Mark, PodLife, Question, Sql};
use crate::words::short;

/// The servers' answers to [`Question::Identity`], in order.
pub(super) fn identities<'a>(case: &Case<'a>) -> Vec<Seen<'a, Sql>> {
    let all = case.sql().filter(|sql| sql.question == Question::Identity).collect();
    last_words(all, |sql| (&sql.pod, ""), |sql| &sql.checkpoint, |sql| sql.rows().is_ok())
}

/// The results of these commands in containers, in order.
pub(super) fn outputs<'a>(case: &Case<'a>, commands: &[&[&str]]) -> Vec<Seen<'a, Exec>> {
    let all = case.execs().filter(|exec| commands.iter().any(|argv| exec.argv == *argv)).collect();
    let worked = |exec: &Seen<'a, Exec>| matches!(exec.answer, ExecAnswer::Exited { code: 0, .. });
    last_words(all, |exec| (&exec.pod, exec.argv.last().map_or("", String::as_str)), |exec| &exec.checkpoint, worked)
}

/// The answers without those that failed and were followed by another one to the same question at the same checkpoint.
fn last_words<'a, T, K: Hash + Eq>(
    all: Vec<Seen<'a, T>>,
    whom: impl Fn(&'a T) -> K,
    checkpoint: impl Fn(&'a T) -> &'a Checkpoint,
    worked: impl Fn(&Seen<'a, T>) -> bool,
) -> Vec<Seen<'a, T>> {
    let mut next: HashMap<K, &Checkpoint> = HashMap::new();
    let mut kept: Vec<_> = all
        .into_iter()
        .rev()
        .filter(|answer| {
            let at = checkpoint(answer.it);
            next.insert(whom(answer.it), at) != Some(at) || worked(answer)
        })
        .collect();
    kept.reverse();
    kept
}

/// The pod that gave an answer; inconclusive if it did not exist when it was asked.
pub(super) fn teller<'a>(case: &Case<'a>, pod: &str, uid: &str, took_us: u64, mark: Mark) -> Judged<&'a PodLife> {
    case.asked_pod(pod, uid, took_us, mark).ok_or_else(|| {
        let which = if uid.is_empty() { "no pod" } else { "another pod" };
        let reason = format!("#{} is from {which} (uid {}), not from the {pod} of that time", mark.seq, short(uid));
        Finding::inconclusive(reason, [mark.seq])
    })
}
