//! Measures how many records a second the timeline, the index and each judge process, and whether the rate stays the
//! same for longer logs. The arguments are criterion's: `cargo bench --bench judges -- timeline`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use steadfast::check::{CATALOGUE, CaseFile, Check, Finding, Verdict};
use steadfast::evidence::{Evidence, Index, Record, Timeline};

mod day;

/// The lengths of the logs, in records.
const LENGTHS: [usize; 3] = [10_000, 100_000, 1_000_000];

/// The length of the log in which every record is an event of a pod. These records cost the most time and memory.
const IDLE: usize = 100_000;

fn logs(criterion: &mut Criterion) {
    for length in LENGTHS {
        let records = day::day(length);
        over(criterion, "timeline", &records, Timeline::of);
        over(criterion, "index", &records, Index::of);
        let evidence = Evidence::new(records);
        for check in CATALOGUE {
            let finding = judge(check, &evidence);
            assert_ne!(finding.verdict, Verdict::Fail, "{}: {}", check.id, finding.reason);
            over(criterion, check.id, &evidence.records, |_| judge(check, &evidence));
        }
    }
    over(criterion, "timeline of idle pods", &day::idle(IDLE), Timeline::of);
}

/// What a judge does with evidence that nothing was derived from yet.
fn judge(check: &Check, evidence: &Evidence) -> Finding {
    CaseFile::of(evidence).map(|file| (check.judge)(&file)).expect("a run that started")
}

/// Measures work on a whole log, in records a second.
fn over<'a, T>(criterion: &mut Criterion, what: &str, records: &'a [Record], work: impl Fn(&'a [Record]) -> T) {
    let mut group = criterion.benchmark_group(what);
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(records.len() as u64));
    group.bench_function(BenchmarkId::from_parameter(records.len()), |bencher| {
        bencher.iter(|| black_box(work(records)));
    });
    group.finish();
}

criterion_group!(benches, logs);
criterion_main!(benches);
