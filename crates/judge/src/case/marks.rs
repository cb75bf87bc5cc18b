//! Whether something came before or after a record; the record itself is neither.

use crate::evidence::Mark;

/// Whether a mark is before this record.
pub(crate) fn is_before(seq: u64) -> impl Fn(&Mark) -> bool {
    move |mark| mark.seq < seq
}

/// Whether a mark is after this record.
pub(crate) fn is_after(seq: u64) -> impl Fn(&Mark) -> bool {
    move |mark| mark.seq > seq
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_neither_before_nor_after_itself() {
        let at = |seq| Mark { seq, at_us: 0 };
        assert_eq!([1, 2, 3].map(|seq| is_before(2)(&at(seq))), [true, false, false]);
        assert_eq!([1, 2, 3].map(|seq| is_after(2)(&at(seq))), [false, false, true]);
    }
}
