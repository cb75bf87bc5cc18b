//! YAML as kubectl parses it, with the place of every node: what is applied, what a rule judges, and what a finding
//! points at can never differ.

use std::collections::BTreeMap;
use std::ops::Range;
use std::{fmt, iter};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Spanned};

use super::ManifestError;

/// Which words are booleans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// As in kubectl: `yes`, `no`, `on`, `off`, `y` and `n` are booleans too, as in YAML 1.1.
    Kubectl,
    /// As in kustomize: only `true` and `false`.
    Kustomize,
}

/// An object with the places of its fields.
#[derive(Debug)]
pub struct Placed {
    /// The document of the text that has it, counted from 1.
    pub document: usize,
    /// The object.
    pub value: Value,
    /// The bytes to point at, by JSON pointer: for a scalar its first line; for a map, a list or an empty value the
    /// key. The content of an alias is placed where it is written, because it must be fixed there.
    pub places: BTreeMap<String, Range<usize>>,
    /// Keys that are repeated in one map, by JSON pointer, with the place of each repetition: the last one counts.
    pub repeated: Vec<(String, Range<usize>)>,
}

/// The objects of a YAML or JSON stream: its non-empty documents, with the items of a List, such as `kubectl get`
/// prints it, in place of the List.
pub(crate) fn objects(origin: &str, text: &str, dialect: Dialect) -> Result<Vec<Placed>, ManifestError> {
    let mut found = Vec::new();
    for part in json_parts(text).unwrap_or_else(|| iter::once(0..text.len()).collect()) {
        let begin = found.len();
        let number = if part.len() == text.len() { 0 } else { begin };
        for (place, node) in nodes(origin, &text[part.clone()], dialect)?.into_iter().enumerate() {
            add(&text[part.clone()], number + place + 1, node, &mut found);
        }
        found[begin..].iter_mut().for_each(|object| object.shift(part.start));
    }
    Ok(found)
}

/// The parts of a text that is several JSON values in a row, which is not valid YAML.
fn json_parts(text: &str) -> Option<Vec<Range<usize>>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let (mut parts, mut begin) = (Vec::new(), 0);
    while let Some(value) = values.next() {
        value.ok()?;
        parts.push(begin..values.byte_offset());
        begin = values.byte_offset();
    }
    (parts.len() > 1).then_some(parts)
}

impl Placed {
    fn shift(&mut self, by: usize) {
        let places = self.places.values_mut().chain(self.repeated.iter_mut().map(|(_, place)| place));
        places.for_each(|place| *place = place.start + by..place.end + by);
    }
}

fn add(text: &str, document: usize, node: Spanned<Node>, found: &mut Vec<Placed>) {
    match node.value {
        Node::Map(entries) if is_list(&entries) => {
            let items = entries.into_iter().find(|(key, _)| key.value == "items");
            if let Some((_, Spanned { value: Node::List(items), .. })) = items {
                items.into_iter().for_each(|item| add(text, document, item, found));
            }
        }
        _ => found.push(Layout::of(text, document, node)),
    }
}

fn is_list(entries: &[(Spanned<String>, Spanned<Node>)]) -> bool {
    let value = |key: &str| entries.iter().find(|(known, _)| known.value == key).map(|(_, node)| &node.value);
    let kind = matches!(value("kind"), Some(Node::Leaf(Value::String(kind))) if kind.ends_with("List"));
    kind && matches!(value("items"), Some(Node::List(_)))
}

fn nodes(origin: &str, text: &str, dialect: Dialect) -> Result<Vec<Spanned<Node>>, ManifestError> {
    // The text is in memory already: its length bounds the cost, and aliases have limits of their own.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: usize::MAX,
            max_nodes: usize::MAX,
            max_events: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: dialect == Dialect::Kustomize,
        legacy_octal_numbers: true,
    };
    serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| ManifestError::Syntax { origin: origin.to_owned(), reason: reason(text, &error.to_string()) })
}

/// The parser's message, preceded by the tab that caused it, if so: the parser reports the line before.
fn reason(text: &str, words: &str) -> String {
    let tab = |line: &str| {
        let content = line.trim_start_matches([' ', '\t']);
        line[..line.len() - content.len()].contains('\t') && !content.is_empty() && !content.starts_with('#')
    };
    match text.lines().position(tab) {
        Some(line) => {
            format!("line {} is indented by a tab, and YAML knows only spaces there: put spaces\n{words}", line + 1)
        }
        None => words.to_owned(),
    }
}

/// A segment of a JSON pointer, from a map or list to one of its members.
pub(crate) fn step(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

struct Layout<'a> {
    text: &'a str,
    places: BTreeMap<String, Range<usize>>,
    repeated: Vec<(String, Range<usize>)>,
}

impl Layout<'_> {
    fn of(text: &str, document: usize, node: Spanned<Node>) -> Placed {
        let mut layout = Layout { text, places: BTreeMap::new(), repeated: Vec::new() };
        let (value, _) = layout.lay(&mut String::new(), None, node);
        Placed { document, value, places: layout.places, repeated: layout.repeated }
    }

    /// Stores a node under a pointer, and returns its value and its place.
    fn lay(&mut self, pointer: &mut String, key: Option<Range<usize>>, node: Spanned<Node>) -> (Value, Range<usize>) {
        let own = self.range(&node.defined);
        // The content of an alias is written elsewhere, so this node does not begin there.
        let begins = |first: Option<Range<usize>>| first.filter(|place| place.start >= own.start);
        let (value, place) = match node.value {
            Node::Leaf(value) if own.is_empty() => (value, key.unwrap_or(own)),
            Node::Leaf(value) => (value, own),
            Node::List(items) => {
                let (mut list, mut first) = (Vec::with_capacity(items.len()), None);
                for (index, item) in items.into_iter().enumerate() {
                    let (value, place) = self.below(pointer, &index.to_string(), None, item);
                    first = first.or(begins(Some(place)));
                    list.push(value);
                }
                (Value::Array(list), key.or(first).unwrap_or(own))
            }
            Node::Map(entries) => {
                let (mut map, mut first) = (Map::new(), None);
                for (key, value) in entries {
                    let place = self.range(&key.defined);
                    let (value, below) = self.below(pointer, &key.value, Some(place.clone()), value);
                    first = first.or_else(|| begins(Some(below)));
                    if map.insert(key.value.clone(), value).is_some() {
                        self.repeated.push((format!("{pointer}{}", step(&key.value)), place));
                    }
                }
                (Value::Object(map), key.or(first).unwrap_or(own))
            }
        };
        self.places.insert(pointer.clone(), place.clone());
        (value, place)
    }

    fn below(
        &mut self,
        pointer: &mut String,
        key: &str,
        place: Option<Range<usize>>,
        node: Spanned<Node>,
    ) -> (Value, Range<usize>) {
        let length = pointer.len();
        pointer.push_str(&step(key));
        let laid = self.lay(pointer, place, node);
        pointer.truncate(length);
        laid
    }

    /// The bytes of a location, limited to its first line, because a caret marks a single line.
    fn range(&self, location: &Location) -> Range<usize> {
        let offset = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok());
        let span = location.span();
        let (Some(start), Some(length)) = (offset(span.byte_offset()), offset(span.byte_len())) else { return 0..0 };
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let line = line.get(..length.min(line.len())).unwrap_or(line).trim_end();
        start.min(self.text.len())..(start + line.len()).min(self.text.len())
    }
}
/// A YAML node. It accepts what [`Value`] accepts, and keeps the places.
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
mod tests;
