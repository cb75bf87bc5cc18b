//! What a field can hold instead.

use arbitrary::Arbitrary;
use serde_json::{Value, json};

use crate::stored::Stored;

/// The longest that a text or list becomes by repetition, in bytes or items.
const LONGEST: usize = 2_000;

/// Numbers at the ends of what types hold.
const NUMBERS: &[i128] = &[
    0,
    1,
    2,
    -1,
    u8::MAX as i128,
    u16::MAX as i128,
    i32::MAX as i128,
    i32::MIN as i128,
    u32::MAX as i128,
    u32::MAX as i128 + 1,
    (1 << 53) - 1,
    i64::MAX as i128,
    i64::MIN as i128,
    u64::MAX as i128 - 1,
    u64::MAX as i128,
];

/// Texts that parsers stumble over: numbers out of range, and the edges of names, addresses, times, percentages, sets of
/// transactions and Corefiles.
const TEXTS: &[&str] = &[
    "",
    " ",
    "-",
    ".",
    "..",
    "/",
    ":",
    ",",
    "{",
    "\n",
    "\0",
    "ü",
    "e\u{301}",
    "\u{10ffff}",
    "NaN",
    "1e400",
    "-1",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "mysql-",
    "mysql-00",
    "mysql--1",
    "mysql-4294967295",
    "mysql-99999999999999999999",
    "0.0.0.0",
    "255.255.255.255",
    "::",
    "::ffff:10.0.0.1",
    "fd00::10",
    "0%",
    "100%",
    "-1%",
    "4294967296%",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "-009999-01-01T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "00000000-0000-0000-0000-000000000001:1-18446744073709551615",
    "00000000-0000-0000-0000-000000000001:9-1",
    "00000000-0000-0000-0000-000000000001:1-5:3-9,00000000-0000-0000-0000-000000000002:tag:1",
    "4294967295-4294967295-18446744073709551615",
    "0-1-18446744073709551615,0-2-1,0-1-2",
    ".:53 {\n    kubernetes cluster.local {\n        ttl 4294967296\n    }\n    cache 0\n}\n",
    "(a) {\n import a\n}\n. {\n import a\n}\n",
];

/// What a field holds instead. All but the last is of the type that was there, so that the record still is one.
#[derive(Debug, Clone, Arbitrary)]
pub enum New {
    /// What the stored run holds at another such place.
    Alike(u16),
    /// What the stored run holds anywhere.
    Elsewhere(u16),
    /// A number or a text at the end of what is possible.
    Extreme(u8),
    /// A number that is larger by so much, or smaller.
    Near(i16),
    /// The text with a part of it replaced.
    Spliced {
        /// Where the part begins, in characters.
        at: u8,
        /// How long it is.
        cut: u8,
        /// What is there instead.
        text: String,
    },
    /// The text, or the list, so many times over.
    Repeated(u8),
    /// The list in the opposite order, or the opposite of a yes or no.
    Reversed,
    /// Nothing: an empty text, list or object.
    Empty,
    /// A value of any type.
    AnyType(u8),
}

impl New {
    /// What is there instead of `old`, which is at this place of a record of this kind; nothing where this new value makes
    /// no sense of such an old one.
    pub fn instead_of(&self, old: &Value, stored: &Stored, kind: usize, pointer: &str) -> Option<Value> {
        match (self, old) {
            (Self::Alike(which), _) => nth(stored.alike(kind, pointer), (*which).into()),
            (Self::Elsewhere(which), _) => nth(stored.of_type(old), (*which).into()),
            (Self::Extreme(which), Value::Number(_)) => Some(number(*which)),
            (Self::Extreme(which), Value::String(_)) => Some(text(*which)),
            (Self::Extreme(which), Value::Null) => {
                Some(if which % 2 == 0 { number(which / 2) } else { text(which / 2) })
            }
            (Self::Near(by), Value::Number(old)) => {
                let sum = i128::from(*by) + old.as_i128()?;
                i64::try_from(sum).map(Value::from).or(u64::try_from(sum).map(Value::from)).ok()
            }
            (Self::Near(by), Value::String(old)) => {
                Some(old.parse::<u64>().ok()?.checked_add_signed((*by).into())?.to_string().into())
            }
            (Self::Spliced { at, cut, text }, Value::String(old)) => {
                let at = usize::from(*at) % (old.chars().count() + 1);
                let (before, after) = (old.chars().take(at), old.chars().skip(at + usize::from(*cut)));
                Some(before.chain(text.chars()).chain(after).collect::<String>().into())
            }
            (Self::Repeated(times), Value::String(old)) => {
                let times = usize::from(*times).min(LONGEST / old.len().max(1));
                Some(old.repeat(times).into())
            }
            (Self::Repeated(times), Value::Array(old)) => {
                let length = (old.len() * usize::from(*times)).min(LONGEST);
                Some(old.iter().cycle().take(length).cloned().collect::<Vec<_>>().into())
            }
            (Self::Reversed, Value::Array(old)) => Some(old.iter().rev().cloned().collect::<Vec<_>>().into()),
            (Self::Reversed, Value::Bool(old)) => Some((!old).into()),
            (Self::Empty, Value::String(_)) => Some(json!("")),
            (Self::Empty, Value::Array(_)) => Some(json!([])),
            (Self::Empty, Value::Object(_)) => Some(json!({})),
            (Self::AnyType(which), _) => Some(any_type(*which)),
            _ => None,
        }
    }
}

fn nth(values: &[Value], which: usize) -> Option<Value> {
    values.get(which % values.len().max(1)).cloned()
}

fn number(which: u8) -> Value {
    let number = NUMBERS[usize::from(which) % NUMBERS.len()];
    i64::try_from(number).map_or_else(|_| json!(u64::try_from(number).expect("a number of JSON")), Value::from)
}

/// A text, or a number as a text: that is how servers answer.
fn text(which: u8) -> Value {
    match usize::from(which) % (TEXTS.len() + NUMBERS.len()) {
        at if at < TEXTS.len() => TEXTS[at].into(),
        at => NUMBERS[at - TEXTS.len()].to_string().into(),
    }
}

fn any_type(which: u8) -> Value {
    match which % 6 {
        0 => Value::Null,
        1 => json!(which > 127),
        2 => json!(f64::MAX),
        3 => number(which / 6),
        4 => text(which / 6),
        _ => json!([[{}]]),
    }
}
