//! YAML with the place of every node, read in one pass: what a rule judges and where it points can never differ.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};

use crate::workload::{ManifestError, documents};

/// A text that findings point into.
#[derive(Debug)]
pub(super) struct Source {
    /// What people know it by: a path, relative where it lies below the current folder.
    pub name: String,
    /// The file that programs are pointed to where the text itself is none: the kustomization that it was made from.
    pub stands_for: Option<String>,
    /// The text.
    pub text: String,
}

/// A line and a column, both counted from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// The beginning of a file.
    pub(super) const FIRST: Self = Self { line: 1, column: 1 };
}

impl Source {
    pub(super) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let mut text = text.into();
        // Editors count no column for a byte order mark.
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        Self { name: name.into(), stands_for: None, text }
    }

    /// Where a byte offset is.
    pub(super) fn position(&self, offset: usize) -> Position {
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

/// A document with the places of its nodes.
#[derive(Debug)]
pub(super) struct Document {
    /// The document, as the rest of the program reads it.
    pub value: Value,
    /// By JSON pointer, the bytes to point at. A scalar is itself the place, as far as its first line; of a map, a list
    /// and an empty value it is the key. What an alias brings is placed where it is written: there it is mended.
    pub places: BTreeMap<String, Range<usize>>,
}

/// The documents of a YAML stream that are not empty.
pub(super) fn placed_documents(origin: &str, text: &str) -> Result<Vec<Document>, ManifestError> {
    let nodes: Vec<Spanned<Node>> = documents(origin, text)?;
    Ok(nodes
        .into_iter()
        .map(|node| {
            let mut layout = Layout { text, places: BTreeMap::new() };
            let value = layout.lay("", None, node);
            Document { value, places: layout.places }
        })
        .collect())
}

/// The step from a map or list to one of its members, in a JSON pointer.
pub(super) fn step(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

struct Layout<'a> {
    text: &'a str,
    places: BTreeMap<String, Range<usize>>,
}

impl Layout<'_> {
    fn lay(&mut self, pointer: &str, key: Option<Range<usize>>, node: Spanned<Node>) -> Value {
        let own = self.range(&node.defined);
        let (value, place) = match node.value {
            Node::Leaf(value) if own.is_empty() => (value, key.unwrap_or(own)),
            Node::Leaf(value) => (value, own),
            Node::List(items) => {
                let items = items.into_iter().enumerate();
                let list = items.map(|(index, item)| self.lay(&format!("{pointer}/{index}"), None, item)).collect();
                (Value::Array(list), key.unwrap_or_else(|| self.first_below(pointer, own)))
            }
            Node::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let place = self.range(&key.defined);
                    let value = self.lay(&format!("{pointer}{}", step(&key.value)), Some(place), value);
                    map.insert(key.value, value);
                }
                (Value::Object(map), key.unwrap_or_else(|| self.first_below(pointer, own)))
            }
        };
        self.places.insert(pointer.to_owned(), place);
        value
    }

    /// The first place in a list's member that is a map or a list: it has no key, and its own extent is many lines.
    fn first_below(&self, pointer: &str, own: Range<usize>) -> Range<usize> {
        let below = format!("{pointer}/");
        let members = self.places.iter().filter(|(pointer, _)| pointer.starts_with(&below));
        // What an alias brings stands elsewhere, and is not where this node begins.
        members
            .map(|(_, place)| place.clone())
            .filter(|place| place.start >= own.start)
            .min_by_key(|it| it.start)
            .unwrap_or(own)
    }

    /// The bytes of a location, as far as they are on its first line: a caret is one line long.
    fn range(&self, location: &Location) -> Range<usize> {
        let offset = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok());
        let span = location.span();
        let (Some(start), Some(length)) = (offset(span.byte_offset()), offset(span.byte_len())) else { return 0..0 };
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let line = line.get(..length.min(line.len())).unwrap_or(line).trim_end();
        start.min(self.text.len())..(start + line.len()).min(self.text.len())
    }
}

/// A YAML node. It takes what [`Value`] takes, and keeps the places.
enum Node {
    Leaf(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Leaf(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the places of a text show, each behind its line and pointer.
    fn shown(text: &str) -> String {
        let source = Source::new("a.yaml", text);
        let mut lines = Vec::new();
        for document in placed_documents("a.yaml", text).expect("YAML") {
            for (pointer, place) in &document.places {
                let Position { line, column } = source.position(place.start);
                lines.push(format!("{line}:{column} {pointer} {}", &text[place.clone()]));
            }
        }
        lines.join("\n")
    }

    #[test]
    fn several_documents_comments_and_styles() {
        insta::assert_snapshot!(shown("# first\na: 1 # one\n---\n# nothing\n---\nb: {c: 'd e', f: [1, \"2\"]}\ng:\n"), @r#"
        2:4  1
        2:4 /a 1
        6:1  b
        6:1 /b b
        6:8 /b/c 'd e'
        6:15 /b/f f
        6:19 /b/f/0 1
        6:22 /b/f/1 "2"
        7:1 /g g
        "#);
    }

    #[test]
    fn lists_blocks_and_keys_with_slashes() {
        insta::assert_snapshot!(shown("a/b~c:\n- name: x\n  y: |\n    one\n    two\n-   - z\n- >-\n  folded\n"), @"
        1:1  a/b~c
        1:1 /a~1b~0c a/b~c
        2:9 /a~1b~0c/0 x
        2:9 /a~1b~0c/0/name x
        4:5 /a~1b~0c/0/y one
        6:7 /a~1b~0c/1 z
        6:7 /a~1b~0c/1/0 z
        8:3 /a~1b~0c/2 folded
        ");
    }

    #[test]
    fn anchors_lead_to_where_the_value_is_written() {
        insta::assert_snapshot!(shown("a: &a\n  b: 1\nc: *a\nd:\n  <<: *a\n  e: 2\nf: &f x\ng: [*f]\n"), @"
        1:1  a
        1:1 /a a
        2:6 /a/b 1
        3:1 /c c
        2:6 /c/b 1
        4:1 /d d
        2:6 /d/b 1
        6:6 /d/e 2
        7:7 /f x
        8:1 /g g
        7:7 /g/0 x
        ");
    }

    #[test]
    fn what_is_not_ascii_is_counted_in_characters() {
        insta::assert_snapshot!(shown("\u{feff}ä: ö # ü\r\nß: [é, x]\r\n"), @"
        1:6  ö
        2:3 /ß ß
        2:7 /ß/0 é
        2:11 /ß/1 x
        1:6 /ä ö
        ");
    }
}
