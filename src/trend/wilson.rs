//! How far to trust a rate seen in few runs.

use schemars::JsonSchema;
use serde::Serialize;

/// The 97.5 % point of the normal distribution: it leaves out 2.5 % on either side.
const Z: f64 = 1.959_963_984_540_054;

/// A 95 % confidence interval of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// Wilson's score interval of a rate seen `seen` times in `cases` cases. `None` without a case.
///
/// It suits few cases and rates near 0, unlike the rate plus or minus its standard error: no red in ten runs still
/// allows up to 28 %. Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
/// 1927, <https://doi.org/10.1080/01621459.1927.10502953>. Brown, Cai and DasGupta, "Interval estimation for a binomial
/// proportion", 2001, <https://doi.org/10.1214/ss/1009213286>, recommend it for small numbers.
pub fn interval(seen: usize, cases: usize) -> Option<Interval> {
    if cases == 0 {
        return None;
    }
    let (n, rate) = (cases as f64, seen as f64 / cases as f64);
    let shrunk = 1.0 + Z * Z / n;
    let centre = (rate + Z * Z / (2.0 * n)) / shrunk;
    let half = Z / shrunk * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    // At both ends the bound equals the rate, which rounding may miss.
    Some(Interval { low: (centre - half).clamp(0.0, rate), high: (centre + half).clamp(rate, 1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The interval in thousandths.
    fn rounded(seen: usize, cases: usize) -> (u32, u32) {
        let Interval { low, high } = interval(seen, cases).unwrap();
        ((low * 1e3).round() as u32, (high * 1e3).round() as u32)
    }

    #[test]
    fn it_is_what_tables_have() {
        // Brown, Cai and DasGupta cover n = 5 to 50 in their table 5; R: binom::binom.confint(methods = "wilson").
        assert_eq!(rounded(0, 10), (0, 278));
        assert_eq!(rounded(1, 20), (9, 236));
        assert_eq!(rounded(5, 10), (237, 763));
        assert_eq!(rounded(10, 10), (722, 1000));
        assert_eq!(interval(0, 0), None);
    }

    fn seen_in_cases() -> impl Strategy<Value = (usize, usize)> {
        (1_usize..5_000).prop_flat_map(|cases| (0..=cases, Just(cases)))
    }

    proptest! {
        #[test]
        fn it_contains_the_rate_and_only_rates((seen, cases) in seen_in_cases()) {
            let Interval { low, high } = interval(seen, cases).unwrap();
            let rate = seen as f64 / cases as f64;
            prop_assert!(0.0 <= low && low <= rate && rate <= high && high <= 1.0);
            prop_assert!(low < high);
        }

        #[test]
        fn it_rises_with_what_was_seen((seen, cases) in seen_in_cases()) {
            prop_assume!(seen < cases);
            let (one, more) = (interval(seen, cases).unwrap(), interval(seen + 1, cases).unwrap());
            prop_assert!(one.low < more.low && one.high < more.high);
        }

        #[test]
        fn it_narrows_with_more_cases_of_the_same_rate((seen, cases) in seen_in_cases(), times in 2_usize..20) {
            let (few, many) = (interval(seen, cases).unwrap(), interval(seen * times, cases * times).unwrap());
            prop_assert!(many.high - many.low < few.high - few.low);
        }

        #[test]
        fn it_is_the_same_from_the_other_side((seen, cases) in seen_in_cases()) {
            let (reds, greens) = (interval(seen, cases).unwrap(), interval(cases - seen, cases).unwrap());
            prop_assert!((reds.low - (1.0 - greens.high)).abs() < 1e-9);
            prop_assert!((reds.high - (1.0 - greens.low)).abs() < 1e-9);
        }
    }
}
