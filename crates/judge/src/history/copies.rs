//! Duplicated records.

use super::History;
use crate::evidence::What;

impl History {
    /// Inserts before the first record of this kind a copy with the same time and another content.
    pub fn told_before(self, of: impl Fn(&What) -> bool, otherwise: impl FnOnce(&mut What)) -> Self {
        let first = self.records.iter().find(|record| of(&record.what)).expect("such a record");
        let (mut copy, at_us) = (first.what.clone(), first.at_us);
        otherwise(&mut copy);
        self.preceded(of, |history| {
            history.push(copy);
            if let Some(last) = history.records.last_mut() {
                last.at_us = at_us;
            }
        })
    }
}
