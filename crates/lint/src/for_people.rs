//! Findings for people, in the style of rustc.

use annotate_snippets::{AnnotationKind, Level as Shown, Renderer, Snippet};

use super::{Finding, Level, Linted, Summary};
use crate::text::{in_line, without_commands, wrap};

/// The findings in colour, with their totals.
pub(super) fn render(linted: &Linted, width: usize) -> String {
    let renderer = Renderer::styled().term_width(width);
    let findings = linted.findings.iter().map(|finding| one(linted, finding, &renderer, width) + "\n\n");
    let objects = if linted.objects == 1 { "1 object".to_owned() } else { format!("{} objects", linted.objects) };
    let passed_over = match linted.passed_over.as_slice() {
        [] => String::new(),
        files => format!("; skipped, no objects: {}", files.join(", ")),
    };
    let accepted = match linted.accepted.len() {
        0 => String::new(),
        count => format!(", {count} accepted"),
    };
    let text = format!("{}{}{accepted} in {objects}{passed_over}\n", findings.collect::<String>(), linted.summary());
    without_commands(&text)
}

fn one(linted: &Linted, finding: &Finding, renderer: &Renderer, width: usize) -> String {
    let source = linted.source(finding);
    let title = level(finding.level).primary_title(in_line(&finding.message)).id(finding.rule.id);
    let caret = AnnotationKind::Primary.span(finding.range.clone()).label(&finding.label);
    let snippet = Snippet::source(&source.text).path(&source.name).annotation(caret);
    // Leaves room for line numbers and labels; a text may be narrower than necessary.
    let room = width.saturating_sub(16);
    let part = |label, text| Shown::NOTE.with_name(Some(label)).message(wrap(text, room).join("\n"));
    let rule = finding.rule;
    let parts = [part("why", rule.why), part("fix", rule.fix), part("see", rule.source)];
    renderer.render(&[title.element(snippet).elements(parts)])
}

fn level(level: Level) -> Shown<'static> {
    match level {
        Level::Error => Shown::ERROR,
        Level::Warning => Shown::WARNING,
        Level::Note => Shown::NOTE,
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = |count, what| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let Self { errors, warnings, notes } = *self;
        write!(f, "{}, {}, {}", counted(errors, "error"), counted(warnings, "warning"), counted(notes, "note"))
    }
}
