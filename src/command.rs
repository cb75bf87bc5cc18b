//! The commands, a file each, and what they share: options, checks by id, and how a command ends.

pub mod after;
pub mod before;
pub mod completions;
pub mod doctor;
pub mod down;
pub mod ending;
pub mod explain;
pub mod judge;
pub mod lint;
pub mod list;
pub mod man;
pub mod options;
pub mod run;
pub mod schema;
pub mod select;
pub mod trend;
pub mod up;
pub mod upgrade;
