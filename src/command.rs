//! The commands, one file each, and what they share: options, selection of checks, and how a command ends.

pub(crate) mod after;
pub(crate) mod before;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod down;
pub(crate) mod ending;
pub(crate) mod explain;
pub(crate) mod judge;
pub(crate) mod lint;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod options;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod select;
pub(crate) mod trend;
pub(crate) mod up;
pub(crate) mod upgrade;
