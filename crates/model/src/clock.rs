//! The clock of a run, and how the harness detects that the machine slept, a program stood still or a wall clock
//! jumped.
//!
//! A run counts the kernel's time since boot, which continues while the machine sleeps (`CLOCK_BOOTTIME`,
//! <https://man7.org/linux/man-pages/man2/clock_gettime.2.html>): a sleep appears as elapsed time. The other clocks and
//! the beat at which all are read show that nothing was observed meanwhile.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::lapse::{Cause, Lapse};

/// How often the clocks are compared.
pub const BEAT: Duration = Duration::from_secs(1);

const BEAT_US: u64 = BEAT.as_micros() as u64;

/// The longest that a busy machine delays a program, in microseconds: a beat that is later than this shows that the
/// program stood still.
pub const BUSY_US: u64 = 5_000_000;

/// A sleep of the machine is longer than this, in microseconds. Two clocks are read at most this far apart.
const ASLEEP_US: u64 = 100_000;

/// The smallest step of a wall clock that counts as a jump, in microseconds. The kernel's clock discipline changes the
/// speed of the clock by less (<https://man7.org/linux/man-pages/man2/adjtimex.2.html>: half a millisecond a second).
const JUMP_US: u64 = 500_000;

/// Clocks count as read together if the first and the last reading are at most this far apart, in microseconds.
const TOGETHER_US: u64 = 20_000;

/// How often the clocks are read to get readings that belong together. On a busier machine the last readings count.
const READINGS: usize = 8;

/// Microseconds since boot, including the time that the machine slept.
pub fn boot_us() -> u64 {
    u64::try_from(microseconds(ClockId::Boottime)).unwrap_or_default()
}

/// Microseconds since 1970 on the wall clock.
pub fn wall_us() -> u64 {
    u64::try_from(microseconds(ClockId::Realtime)).unwrap_or_default()
}

fn microseconds(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000)
}

/// Measures how long something takes, including the time that the machine sleeps.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(u64);

impl Stopwatch {
    /// Starts a stopwatch.
    pub fn start() -> Self {
        Self(boot_us())
    }

    /// Microseconds since the start.
    pub fn us(&self) -> u64 {
        boot_us().saturating_sub(self.0)
    }
}

/// Three clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Microseconds since boot.
    pub boot_us: u64,
    /// Microseconds since boot without the time that the machine slept.
    pub awake_us: u64,
    /// Microseconds since 1970 on the wall clock.
    pub wall_us: i64,
}

impl Reading {
    /// Reads the clocks.
    pub fn now() -> Self {
        let read = || {
            let boot_us = boot_us();
            let awake_us = u64::try_from(microseconds(ClockId::Monotonic)).unwrap_or_default();
            Self { boot_us, awake_us, wall_us: microseconds(ClockId::Realtime) }
        };
        let together = |reading: &Self| boot_us().saturating_sub(reading.boot_us) <= TOGETHER_US;
        (1..READINGS).map(|_| read()).find(together).unwrap_or_else(read)
    }
}

/// Compares the clocks at each beat.
#[derive(Debug)]
pub struct Sampler {
    last: Reading,
}

impl Sampler {
    /// Starts with these readings.
    pub fn new(first: Reading) -> Self {
        Self { last: first }
    }

    /// Compares the clocks with the last readings. Returns that the machine slept or else that the program stood still,
    /// and that the wall clock jumped. The times are microseconds since boot.
    pub fn observe(&mut self, now: Reading) -> impl Iterator<Item = Lapse> + use<> {
        let last = std::mem::replace(&mut self.last, now);
        let passed_us = now.boot_us.saturating_sub(last.boot_us);
        let awake_us = now.awake_us.saturating_sub(last.awake_us);
        let (slept_us, late_us) = (passed_us.saturating_sub(awake_us), awake_us.saturating_sub(BEAT_US));
        let jumped_us = (now.wall_us - last.wall_us).saturating_sub_unsigned(passed_us);
        let not_seen =
            if slept_us > ASLEEP_US { Some(Cause::Slept) } else { (late_us > BUSY_US).then_some(Cause::StoodStill) };
        let jumped = (jumped_us.unsigned_abs() > JUMP_US).then_some(Cause::WallJumped { by_us: jumped_us });
        let (from_us, to_us) = (last.boot_us, now.boot_us);
        [not_seen, jumped].into_iter().flatten().map(move |cause| Lapse { from_us, to_us, cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Reading = Reading { boot_us: 50_000_000, awake_us: 40_000_000, wall_us: 1_700_000_000_000_000 };

    /// The lapses that are reported if the machine was awake and asleep for these times since the last beat, and the
    /// wall clock was set meanwhile.
    fn noticed(awake_us: u64, asleep_us: u64, set_by_us: i64) -> Vec<Lapse> {
        let boot_us = FIRST.boot_us + awake_us + asleep_us;
        let wall_us = FIRST.wall_us + (awake_us + asleep_us).cast_signed() + set_by_us;
        let now = Reading { boot_us, awake_us: FIRST.awake_us + awake_us, wall_us };
        let lapses: Vec<Lapse> = Sampler::new(FIRST).observe(now).collect();
        assert!(lapses.iter().all(|lapse| (lapse.from_us, lapse.to_us) == (FIRST.boot_us, boot_us)));
        lapses
    }

    fn causes(lapses: &[Lapse]) -> Vec<Cause> {
        lapses.iter().map(|lapse| lapse.cause).collect()
    }

    #[test]
    fn a_busy_machine_is_no_lapse() {
        for awake_us in [0, BEAT_US, 3 * BEAT_US, BEAT_US + BUSY_US] {
            assert_eq!(noticed(awake_us, 0, 0), []);
            assert_eq!(noticed(awake_us, ASLEEP_US, JUMP_US.cast_signed()), []);
            assert_eq!(noticed(awake_us, ASLEEP_US, -JUMP_US.cast_signed()), []);
        }
    }

    #[test]
    fn who_slept_or_stood_still_or_was_set_is_noticed() {
        assert_eq!(causes(&noticed(BEAT_US, ASLEEP_US + 1, 0)), [Cause::Slept]);
        assert_eq!(causes(&noticed(BEAT_US + BUSY_US + 1, 0, 0)), [Cause::StoodStill]);
        assert_eq!(causes(&noticed(30_000_000, 600_000_000, 0)), [Cause::Slept]);
        for by_us in [JUMP_US.cast_signed() + 1, -JUMP_US.cast_signed() - 1, 600_000_000, -3_600_000_000] {
            assert_eq!(causes(&noticed(BEAT_US, 0, by_us)), [Cause::WallJumped { by_us }]);
            assert_eq!(causes(&noticed(BEAT_US, 600_000_000, by_us)), [Cause::Slept, Cause::WallJumped { by_us }]);
        }
    }

    #[test]
    fn each_lapse_is_noticed_once() {
        let mut sampler = Sampler::new(FIRST);
        let later = |by_us: u64| Reading { boot_us: FIRST.boot_us + by_us, ..FIRST };
        assert_eq!(sampler.observe(later(9_000_000)).count(), 2, "it slept, and the clock on the wall did not go on");
        assert_eq!(sampler.observe(later(9_000_000)).count(), 0);
    }

    #[test]
    fn clocks_are_read_together() {
        let (first, then) = (Reading::now(), Reading::now());
        assert_eq!(Sampler::new(first).observe(then).count(), 0);
        assert!(then.boot_us >= first.boot_us);
    }
}
