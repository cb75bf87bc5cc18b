//! Objects with the places of their fields.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::object::text;

/// An object with the places of its fields.
#[derive(Debug)]
pub(super) struct Object {
    pub value: Value,
    /// The places, by JSON pointer.
    pub places: BTreeMap<String, Place>,
    /// Keys that are repeated in one map, by JSON pointer, with the place of each repetition.
    pub repeated: Vec<(String, Place)>,
}

/// The place of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The index of the source.
    pub source: usize,
    /// The bytes to point at.
    pub range: Range<usize>,
    /// Whether this is the place of the field itself, and not only of its object.
    pub exact: bool,
}

impl Object {
    pub(super) fn kind(&self) -> &str {
        text(&self.value, "/kind").unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        let named = |pointer| text(&self.value, pointer);
        named("/metadata/name").or_else(|| named("/metadata/generateName")).unwrap_or_default()
    }

    /// The place of a field, or of its nearest ancestor.
    pub(super) fn place(&self, pointer: &str) -> Option<&Place> {
        let mut pointer = pointer;
        loop {
            match (self.places.get(pointer), pointer.rfind('/')) {
                (Some(place), _) => return Some(place),
                (None, Some(above)) => pointer = &pointer[..above],
                (None, None) => return None,
            }
        }
    }
}

/// A path as people and code hosts write it: normalized, and relative if it lies below the current folder.
pub(super) fn shown(path: &Path) -> String {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    let below = std::env::current_dir().ok().and_then(|here| clean.strip_prefix(here).ok().map(Path::to_owned));
    below.unwrap_or(clean).display().to_string()
}
