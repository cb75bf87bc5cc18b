//! The timeline of the run as a picture: one lane for each pod name, one bar for each incarnation of a pod, the
//! scenarios above, and the faults as lines across.

use maud::{Markup, html};

use super::describe::describe;
use crate::check::{Ended, Outcome, Span};
use crate::evidence::duration::{as_seconds, seconds};
use crate::evidence::{Evidence, Mark, PodLife, Record, What};

const WIDTH: f64 = 1080.0;
const RIGHT: f64 = 14.0;
const BAND: f64 = 22.0;
const BAR: f64 = 20.0;
const SPACE: f64 = 8.0;
/// The width of a letter in the names of scenarios and pods. A picture without scripts cannot measure its texts.
const LETTER: f64 = 6.6;
/// The width of a letter in the names of faults, which are smaller.
const SMALL_LETTER: f64 = 5.8;

/// The figure. Empty if no pod was seen and no step began.
pub(super) fn timeline(outcome: &Outcome<'_>) -> Markup {
    let evidence = outcome.evidence;
    let Some(last) = evidence.records.last().filter(|record| record.at_us > 0) else { return html! {} };
    let mut drawing = Drawing { shapes: Vec::new(), left: gutter(evidence), total_us: last.at_us, last, y: 0.0 };
    drawing.bands(&outcome.spans);
    drawing.fault_names(evidence);
    let top = drawing.y;
    drawing.lanes(evidence);
    drawing.outages(outcome);
    drawing.across(evidence, top);
    drawing.axis(top);
    let Drawing { shapes, y: height, .. } = drawing;
    html! {
        figure {
            svg viewBox=(format_args!("0 0 {WIDTH} {height}")) role="img" aria-label="Timeline of the run" {
                @for shape in &shapes { (shape) }
            }
            figcaption { (legend()) }
        }
    }
}

struct Drawing<'a> {
    shapes: Vec<Markup>,
    /// The position of time zero, to the right of the pods' names.
    left: f64,
    total_us: u64,
    last: &'a Record,
    /// The vertical position of the next row.
    y: f64,
}

impl Drawing<'_> {
    fn x(&self, at_us: u64) -> f64 {
        self.left + (WIDTH - self.left - RIGHT) * at_us as f64 / self.total_us as f64
    }

    /// A rectangle between two times with a tooltip, wide enough to be visible.
    fn bar(&mut self, class: &str, (from, to): (u64, u64), (y, height): (f64, f64), title: &str) {
        let (x, width) = (self.x(from), (self.x(to) - self.x(from)).max(1.0));
        let [x, y, width, height] = [x, y, width, height].map(tenths);
        self.shapes.push(html! {
            rect class=(class) x=(x) y=(y) width=(width) height=(height) { title { (title) } }
        });
    }

    /// The background of a row, from the names to the right edge.
    fn lane(&mut self, height: f64) {
        let [x, y, width, height] = [self.left, self.y, WIDTH - self.left - RIGHT, height].map(tenths);
        self.shapes.push(html! { rect.lane x=(x) y=(y) width=(width) height=(height) {} });
    }

    /// A vertical line with a tooltip.
    fn line(&mut self, class: &str, at_us: u64, (top, bottom): (f64, f64), title: &str) {
        let x = self.x(at_us);
        self.shapes.push(html! {
            path class=(class) d=(format_args!("M{x:.1} {top:.1}V{bottom:.1}")) { title { (title) } }
        });
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        self.shapes.push(html! { text class=(class) x=(tenths(x)) y=(tenths(y)) { (text) } });
    }

    fn bands(&mut self, spans: &[Span<'_>]) {
        for span in spans {
            let (begin, end) = (span.begin.at_us, span.end.at_us);
            let class = if span.scenario.is_some() { "scenario" } else { "around" };
            let ended = match span.ended {
                Ended::Done => String::new(),
                Ended::Failed(reason) => format!(", failed: {reason}"),
                Ended::CutShort => ", not finished".to_owned(),
            };
            let title =
                format!("{}: {:.1} s from #{} to #{}{ended}", span.name, span.seconds(), span.begin.seq, span.end.seq);
            // A pixel of space separates neighbours.
            let room = (self.x(end) - self.x(begin) - 1.0).max(1.0);
            let [x, width] = [self.x(begin), room].map(tenths);
            self.shapes.push(html! {
                rect class=(class) x=(x) y="0" width=(width) height=(BAND) rx="3" { title { (title) } }
            });
            if span.ended != Ended::Done {
                self.line("cut", end, (0.0, BAND), &title);
            }
            let letters = ((room - 8.0) / LETTER) as usize;
            if let Some(label) = fitting(span.name, letters) {
                self.text("", self.x(begin) + 5.0, 15.0, &label);
            }
        }
        self.y = BAND + 2.0;
    }

    /// The names of the faults in their own row, where there is space. The tooltips of the lines have all names.
    fn fault_names(&mut self, evidence: &Evidence) {
        let mut free_from = self.left;
        for (record, name) in faults(evidence) {
            let (line, width) = (self.x(record.at_us), name.chars().count() as f64 * SMALL_LETTER);
            let x = if line + 4.0 + width <= WIDTH { line + 4.0 } else { line - 4.0 - width };
            if x >= free_from {
                self.text("fault-name", x, self.y + 14.0, &name);
                free_from = x + width + 10.0;
            }
        }
        self.y += 20.0;
    }

    fn lanes(&mut self, evidence: &Evidence) {
        let mut names: Vec<&str> = evidence.timeline.pods.iter().map(|pod| pod.name.as_str()).collect();
        // Sorts by ordinal: mysql-10 comes after mysql-9.
        names.sort_by_key(|name| (name.len(), *name));
        names.dedup();
        for name in names {
            let lives: Vec<&PodLife> = evidence.timeline.lives(name).collect();
            let rows = rows(&lives);
            let count = rows.iter().max().map_or(1, |row| row + 1);
            let height = count as f64 * (BAR + 2.0) - 2.0 + SPACE;
            self.lane(height);
            self.text("", 0.0, self.y + SPACE / 2.0 + 14.5, name);
            for (life, row) in lives.iter().zip(rows) {
                self.life(life, self.y + SPACE / 2.0 + row as f64 * (BAR + 2.0));
            }
            self.y += height + 4.0;
        }
    }

    /// The outage of each disruption in its own lane, if there was a ledger.
    fn outages(&mut self, outcome: &Outcome<'_>) {
        let Some(measures) = outcome.measures().filter(|measures| measures.ledger.is_some()) else { return };
        let (height, y) = (BAR / 2.0 + SPACE, self.y);
        self.lane(height);
        self.text("", 0.0, y + 13.0, "writes");
        for disruption in &measures.disruptions {
            let Some(outage) = disruption.impact.as_ref().and_then(|impact| impact.longest_outage) else { continue };
            let title = format!("{}\nno write acknowledged for {}", disruption.name(), seconds(outage.us()));
            self.bar("outage", (outage.from_us, outage.to_us), (y + SPACE / 2.0, BAR / 2.0), &title);
        }
        self.y += height + 4.0;
    }

    /// An incarnation from its first record to its last: un-Ready and Ready stretches, then its termination.
    fn life(&mut self, life: &PodLife, y: f64) {
        let last = Mark { seq: self.last.seq, at_us: self.last.at_us };
        let end = life.deleted.unwrap_or(last);
        let leaving = life.deleting.unwrap_or(end).min(end);
        let name = format!("{} uid {}", life.name, life.uid);
        let mut since = (life.added, false);
        let changes = life.ready.iter().map(|change| (change.since, change.value)).filter(|(mark, _)| *mark < leaving);
        for next in changes.chain([(leaving, false)]) {
            let ((from, ready), (to, _)) = (since, next);
            if from < to {
                let (class, state) = if ready { ("ready", "Ready") } else { ("unready", "not Ready") };
                let title = format!("{name}\n{state} from #{} ({})", from.seq, seconds(from.at_us));
                self.bar(class, (from.at_us, to.at_us), (y, BAR), &title);
            }
            since = next;
        }
        if leaving < end {
            let title = format!("{name}\nbeing deleted from #{} ({})", leaving.seq, seconds(leaving.at_us));
            self.bar("leaving", (leaving.at_us, end.at_us), (y, BAR), &title);
        }
        if let Some(gone) = life.deleted {
            let title = format!("{name}\ngone at #{} ({})", gone.seq, seconds(gone.at_us));
            self.line("gone", gone.at_us, (y - 2.0, y + BAR + 2.0), &title);
        }
    }

    /// What concerns all lanes: faults, and gaps in the history.
    fn across(&mut self, evidence: &Evidence, top: f64) {
        let bottom = self.y;
        for (record, _) in faults(evidence) {
            self.line("fault", record.at_us, (top - 18.0, bottom), &titled(record));
        }
        for record in &evidence.records {
            if matches!(record.what, What::Gap(_) | What::Lapse(_)) {
                self.line("gap", record.at_us, (top, bottom), &titled(record));
            }
        }
    }

    fn axis(&mut self, top: f64) {
        let bottom = self.y;
        let total = as_seconds(self.total_us);
        let step = tick_step(total);
        let mut at = 0;
        while f64::from(at) <= total {
            let x = self.x(u64::from(at) * 1_000_000);
            // Short ticks outside of the lanes: lines across the lanes would look like faults.
            let ticks = format_args!("M{x:.1} {top:.1}v-3M{x:.1} {bottom:.1}v5");
            self.shapes.push(html! { path.grid d=(ticks) {} });
            self.text("tick", x, bottom + 17.0, &format!("{at} s"));
            at += step;
        }
        self.y = bottom + 22.0;
    }
}

/// The width of the longest pod name.
fn gutter(evidence: &Evidence) -> f64 {
    let longest = evidence.timeline.pods.iter().map(|pod| pod.name.len()).max().unwrap_or(0);
    (longest as f64 * LETTER + 16.0).max(60.0)
}

/// The requested acts. The bars show their effects.
fn faults(evidence: &Evidence) -> impl Iterator<Item = (&Record, String)> {
    evidence.records.iter().filter_map(|record| match &record.what {
        What::Fault(fault) if fault.proof.is_none() => Some((record, fault.act.to_string())),
        _ => None,
    })
}

fn titled(record: &Record) -> String {
    format!("#{} at {}: {}", record.seq, seconds(record.at_us), describe(record))
}

/// The row of each incarnation within its lane. Overlapping incarnations of one name are a violation and must not
/// hide each other.
fn rows(lives: &[&PodLife]) -> Vec<usize> {
    let mut ends: Vec<u64> = Vec::new();
    let mut place = |life: &&PodLife| {
        let end = life.deleted.map_or(u64::MAX, |gone| gone.seq);
        let row = ends.iter().position(|end| *end <= life.added.seq).unwrap_or(ends.len());
        if row == ends.len() {
            ends.push(end);
        } else {
            ends[row] = end;
        }
        row
    };
    lives.iter().map(&mut place).collect()
}

/// The label, shortened to this many letters. `None` if the rest would be too short.
fn fitting(label: &str, letters: usize) -> Option<String> {
    match label.chars().count() {
        length if length <= letters => Some(label.to_owned()),
        _ if letters >= 5 => Some(label.chars().take(letters - 1).collect::<String>() + "…"),
        _ => None,
    }
}

/// The seconds between two ticks: a round number that gives at most twelve ticks.
fn tick_step(total: f64) -> u32 {
    const STEPS: [u32; 11] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200];
    STEPS.into_iter().find(|step| total / f64::from(*step) <= 12.0).unwrap_or(3600)
}

/// Prints a length with one decimal: finer differences are invisible.
fn tenths(length: f64) -> String {
    format!("{length:.1}")
}

fn legend() -> Markup {
    let bar = |class: &str| html! { rect class=(class) width="18" height="12" {} };
    let line = |class: &str| html! { path class=(class) d="M9 0v12" {} };
    let signs = [
        (bar("unready"), "not Ready"),
        (bar("ready"), "Ready"),
        (bar("leaving"), "being deleted"),
        (line("gone"), "gone"),
        (bar("outage"), "no write acknowledged"),
        (line("fault"), "fault"),
        (line("gap"), "gap in the history"),
    ];
    html! {
        @for (shape, name) in signs { span { svg viewBox="0 0 18 12" { (shape) } (name) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_bar_a_life_with_its_states() {
        let evidence = sample::passing_evidence();
        let svg = timeline(&sample::passing(&evidence)).into_string();
        let count = |class: &str| svg.matches(&format!("<rect class=\"{class}\" x=")).count();
        assert_eq!((count("lane"), count("unready"), count("ready"), count("leaving")), (3, 4, 4, 1));
        assert_eq!(svg.matches("class=\"gone\" d=\"M9").count() + 1, svg.matches("class=\"gone\"").count());
        assert!(svg.contains(">delete mysql-1</text>"), "{svg}");
    }

    #[test]
    fn lives_that_overlap_lie_below_each_other() {
        let evidence = sample::failing_evidence();
        let lives: Vec<_> = evidence.timeline.lives("mysql-1").collect();
        assert_eq!(rows(&lives), [0, 1]);
        let evidence = sample::passing_evidence();
        let lives: Vec<_> = evidence.timeline.lives("mysql-1").collect();
        assert_eq!(rows(&lives), [0, 0]);
    }

    #[test]
    fn labels_and_ticks_fit() {
        assert_eq!(fitting("restart", 7).as_deref(), Some("restart"));
        assert_eq!(fitting("create the cluster", 7).as_deref(), Some("create…"));
        assert_eq!(fitting("restart", 4), None);
        assert_eq!((tick_step(0.5), tick_step(116.0), tick_step(100_000.0)), (1, 10, 3600));
    }
}
