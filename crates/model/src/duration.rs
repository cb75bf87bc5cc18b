//! Formats durations for people.

/// Converts microseconds to seconds.
pub fn as_seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// Formats microseconds as seconds, such as `12.3 s`.
pub fn seconds(us: u64) -> String {
    format!("{:.1} s", as_seconds(us))
}

/// Formats microseconds as milliseconds, such as `2.4 ms`.
pub fn milliseconds(us: u64) -> String {
    format!("{:.1} ms", us as f64 / 1e3)
}

/// A limit as a number and its unit: seconds if they are whole, otherwise milliseconds.
pub fn limit(ms: u64) -> (u64, &'static str) {
    if ms.is_multiple_of(1_000) { (ms / 1_000, "s") } else { (ms, "ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_is_rounded() {
        assert_eq!([0, 1_449_999, 1_450_001, 29_990_000].map(seconds), ["0.0 s", "1.4 s", "1.5 s", "30.0 s"]);
        assert_eq!([0, 1_349, 2_000_000].map(milliseconds), ["0.0 ms", "1.3 ms", "2000.0 ms"]);
    }

    #[test]
    fn a_limit_is_as_exact_as_it_was_given() {
        assert_eq!([0, 250, 1_500, 90_000].map(limit), [(0, "s"), (250, "ms"), (1_500, "ms"), (90, "s")]);
    }
}
