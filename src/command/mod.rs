//! Commands that have more to say than a line in the list of them.

pub mod after;
pub mod before;
pub mod down;
pub mod lint;
pub mod trend;
pub mod upgrade;
