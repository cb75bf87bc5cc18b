//! The account of one check: five parts, always in the same order, that a person reads after a failure. The terminal,
//! JUnit and HTML reports differ only in the layout.

use super::describe::{gap_line, line};
use super::exercised;
use crate::check::{CaseFile, CommonCause, Judged, Outcome, Span, Verdict, expectation};
use crate::evidence::duration::seconds;
use crate::evidence::{Evidence, Mark, Record, Wait, WaitOutcome, What};
use crate::text::in_line;

/// A labelled line of the account.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// The label.
    pub(super) label: &'static str,
    /// The text.
    pub(super) text: String,
    /// Whether the text is for copying, and therefore never wrapped.
    pub(super) verbatim: bool,
    /// The records that the text quotes.
    pub(super) quoted: Vec<Quoted<'a>>,
}

/// A record that a finding cites.
#[derive(Debug)]
pub(super) struct Quoted<'a> {
    /// The number of the record.
    pub(super) seq: u64,
    /// The record. `None` if the evidence was cut.
    pub(super) record: Option<&'a Record>,
}

impl Quoted<'_> {
    /// The record on one line, with its number and time.
    pub(super) fn line(&self) -> String {
        self.record.map_or_else(|| format!("#{} is not in this evidence", self.seq), line)
    }
}

/// The account of a check: what was required, what was awaited, what was seen, the source and the records, and how to
/// run the check alone.
pub(super) fn account<'a>(outcome: &'a Outcome<'_>, judged: &Judged) -> Vec<Part<'a>> {
    let part = |label, text: &str| Part { label, text: text.to_owned(), verbatim: false, quoted: Vec::new() };
    let copied = |label, text: String| Part { label, text, verbatim: true, quoted: Vec::new() };
    let finding = &judged.finding;
    let quoted = finding.evidence.iter().map(|&seq| Quoted { seq, record: outcome.record(seq) }).collect();
    let mut parts = vec![part("required", judged.check.statement)];
    if needs_attention(finding.verdict) {
        parts.push(part("awaited", &awaited(outcome, judged)));
    }
    parts.push(Part { quoted, ..part("seen", &in_line(&finding.reason)) });
    parts.push(part("written in", judged.check.source));
    parts.push(copied("evidence in", outcome.directory.join("evidence.jsonl").display().to_string()));
    parts.push(copied("run alone", format!("{} {}", outcome.rerun, judged.check.id)));
    parts
}

/// The account as plain lines. Each quoted record is on its own line.
pub(super) fn text(outcome: &Outcome<'_>, judged: &Judged) -> String {
    lines(&account(outcome, judged))
}

/// The account of a cause as plain lines, followed by the checks that it left undecided.
pub(super) fn text_of_cause(outcome: &Outcome<'_>, common: &CommonCause<'_>) -> String {
    let checks = common.judged.iter().map(|judged| format!("  {}: {}\n", judged.check.id, in_line(judged.doubt())));
    format!("{}undecided:\n{}", lines(&of_cause(outcome, common)), checks.collect::<String>())
}

fn lines(parts: &[Part<'_>]) -> String {
    let mut text = String::new();
    for part in parts {
        text += &format!("{}: {}\n", part.label, part.text);
        for quoted in &part.quoted {
            text += &format!("  {}\n", quoted.line());
        }
    }
    text
}

/// Whether a person must look at this verdict.
pub(super) fn needs_attention(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fail | Verdict::Inconclusive)
}

/// The last unsuccessful wait in these scenarios. It often says more than the finding.
fn awaited(outcome: &Outcome<'_>, judged: &Judged) -> String {
    let (evidence, scenarios) = (outcome.evidence, judged.check.scenarios);
    let within = |seq: u64| {
        let covers = |span: &Span<'_>| (span.begin.seq..=span.end.seq).contains(&seq);
        outcome.spans.iter().any(|span| span.scenario.is_some_and(|it| scenarios.contains(&it)) && covers(span))
    };
    let in_vain = evidence.records.iter().rev().find_map(|record| match &record.what {
        What::Wait(wait) if unmet(wait) && within(record.seq) => Some((record, wait)),
        _ => None,
    });
    let Some((record, wait)) = in_vain else { return "nothing ran out of time".to_owned() };
    // If the finding cites the wait, its reason already quotes what the cluster and the containers said.
    if judged.finding.evidence.contains(&record.seq) { vain(record, wait) } else { explained(evidence, record, wait) }
}

/// Whether a wait had its full time and ended without the awaited state.
fn unmet(wait: &Wait) -> bool {
    !matches!(wait.outcome, WaitOutcome::Met | WaitOutcome::CutShort)
}

/// The text of an unsuccessful wait.
fn vain(record: &Record, wait: &Wait) -> String {
    let Wait { what, outcome, took_us, last_seen } = wait;
    let how = match outcome {
        WaitOutcome::Impossible(reason) => format!("until it could come no more: {reason}"),
        WaitOutcome::CutShort => "and given up early".to_owned(),
        WaitOutcome::Met | WaitOutcome::Expired => "in vain".to_owned(),
    };
    let (took, at) = (seconds(*took_us), seconds(record.at_us));
    in_line(&format!("{what}, for {took}, {how} (#{} at {at}); last seen: {last_seen}", record.seq))
}

/// The same, with what the cluster and the containers said during the wait.
fn explained(evidence: &Evidence, record: &Record, wait: &Wait) -> String {
    let (mut text, mark) = (vain(record, wait), Mark { seq: record.seq, at_us: record.at_us });
    let warnings: Vec<String> = evidence.warnings(wait, mark).iter().map(ToString::to_string).collect();
    if !warnings.is_empty() {
        text += &format!("; the cluster warned: {}", warnings.join(", "));
    }
    if let Some(words) = evidence.last_words(wait, mark) {
        text += &format!("; {words}");
    }
    text
}

/// The account of a cause that left several checks undecided, without the list of these checks.
pub(super) fn of_cause<'a>(outcome: &'a Outcome<'_>, common: &CommonCause<'_>) -> Vec<Part<'a>> {
    let plain = |label, text: String| Part { label, text, verbatim: false, quoted: Vec::new() };
    let (evidence, seq) = (outcome.evidence, common.cause.seq);
    let within = outcome.spans.iter().find(|span| (span.begin.seq..=span.end.seq).contains(&seq));
    let in_vain = within.and_then(|span| {
        let before = evidence.records.iter().rev().filter(|record| (span.begin.seq..=seq).contains(&record.seq));
        before.into_iter().find_map(|record| match &record.what {
            What::Wait(wait) if unmet(wait) => Some(explained(evidence, record, wait)),
            _ => None,
        })
    });
    let at = outcome.record(seq).map(|record| format!(" at {}", seconds(record.at_us))).unwrap_or_default();
    let mut parts = vec![plain("cause", format!("{} (#{seq}{at})", in_line(&common.cause.why)))];
    parts.extend(in_vain.map(|text| plain("awaited", text)));
    let copied = |label, text: String| Part { verbatim: true, ..plain(label, text) };
    parts.push(copied("evidence in", outcome.directory.join("evidence.jsonl").display().to_string()));
    parts.push(copied("run alone", format!("{} {}", outcome.rerun, common.judged[0].check.id)));
    parts
}

/// The images that ran instead of others, one sentence each.
pub(super) fn substitutions(evidence: &Evidence) -> Vec<String> {
    let substitutions = evidence.run().map(|run| run.substitutions.as_slice()).unwrap_or_default();
    substitutions.iter().map(|one| format!("{} ran as {}: {}", one.wanted, one.image, one.why)).collect()
}

/// What was expected of this cluster because of its version, one sentence each.
pub(super) fn expectations(evidence: &Evidence) -> Vec<String> {
    let applied = evidence.run().map(expectation::applied).unwrap_or_default();
    applied.iter().map(|one| format!("{} ({})", one.what, one.why)).collect()
}

/// What was exercised, only read back or left out, one sentence each.
pub(super) fn exercised(outcome: &Outcome<'_>) -> Vec<String> {
    exercised::exercised(outcome).into_iter().map(|one| one.text).collect()
}

/// What the verdicts are based on, and their limits.
pub(super) fn scope(outcome: &Outcome<'_>) -> Vec<String> {
    let evidence = outcome.evidence;
    let mut lines = Vec::new();
    // Events of the cluster prove nothing.
    let watched = |record: &&Record| matches!(&record.what, What::Object(event) if event.object_kind != "Event");
    let events = evidence.records.iter().filter(watched).count();
    let bridged = outcome.case_file().map(CaseFile::bridged_gaps);
    let (across, open): (Vec<_>, Vec<_>) =
        evidence.timeline.gaps.iter().partition(|(mark, _)| bridged.is_some_and(|bridged| bridged.contains(&mark.seq)));
    if events == 0 {
        lines.push("order is not proved: nothing was watched".to_owned());
    } else if open.is_empty() {
        let other = if across.is_empty() { "" } else { "other " };
        lines.push(format!("order is proved from the watch history: {events} records, no {other}gap"));
    } else {
        lines.push(format!("order is proved from the watch history: {events} records, but not across its gaps:"));
        lines.extend(open.iter().map(|(mark, gap)| format!("#{} {}", mark.seq, gap_line(gap))));
    }
    if !across.is_empty() {
        let (count, gaps) = (across.len(), if across.len() == 1 { "gap" } else { "gaps" });
        let were = if across.len() == 1 { "was" } else { "were" };
        lines.push(format!(
            "{count} {gaps} that came while the API server was away {were} bridged: the same objects were there afterwards"
        ));
    }
    lines.extend(evidence.clocks.doubts().iter().map(|doubt| format!("time is in doubt: {doubt}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::{Outcome, scope};
    use crate::evidence::Evidence;
    use crate::report::sample::{self, killed_api_server_evidence};

    fn told(evidence: &Evidence) -> String {
        scope(&Outcome::with(evidence, [])).join("\n")
    }

    #[test]
    fn gaps_that_leave_no_doubt_are_told_apart() {
        insta::assert_snapshot!(told(&killed_api_server_evidence(1, 0)), @"
        order is proved from the watch history: 3 records, no other gap
        1 gap that came while the API server was away was bridged: the same objects were there afterwards
        ");
        insta::assert_snapshot!(told(&killed_api_server_evidence(2, 0)), @"
        order is proved from the watch history: 4 records, no other gap
        2 gaps that came while the API server was away were bridged: the same objects were there afterwards
        ");
        insta::assert_snapshot!(told(&killed_api_server_evidence(2, 1)), @"
        order is proved from the watch history: 6 records, but not across its gaps:
        #16 GAP in the history of Pod after version 4711: 410 Gone
        2 gaps that came while the API server was away were bridged: the same objects were there afterwards
        ");
        insta::assert_snapshot!(told(&killed_api_server_evidence(0, 1)), @"
        order is proved from the watch history: 4 records, but not across its gaps:
        #12 GAP in the history of Pod after version 4711: 410 Gone
        ");
        insta::assert_snapshot!(told(&sample::passing_evidence()), @"order is proved from the watch history: 12 records, no gap");
        insta::assert_snapshot!(told(&Evidence::new(Vec::new())), @"order is not proved: nothing was watched");
        // Events of the cluster prove nothing.
        insta::assert_snapshot!(told(&sample::crashing_evidence()), @"order is proved from the watch history: 6 records, no gap");
    }
}
