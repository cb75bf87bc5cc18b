//! New values for fields.

use arbitrary::Arbitrary;
use serde_json::{Value, json};

use crate::stored::Stored;

/// The maximum length of a repeated text or list, in bytes or items.
const LONGEST: usize = 2_000;

/// Numbers at the limits of types.
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

/// Texts that break parsers: numbers out of range, and edge cases of names, addresses, times, percentages, sets of
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

/// A new value for a field. All variants except the last keep the type, so that the record still parses. If a variant
/// makes no sense for a type, the field gets an extreme value.
#[derive(Debug, Clone, Arbitrary)]
pub enum New {
    /// The value at a similar place of the stored run.
    Alike(u16),
    /// Any value of the stored run.
    Elsewhere(u16),
    /// A number or a text at the limits.
    Extreme(u8),
    /// The number plus this difference.
    Near(i8),
    /// The text with a part replaced.
    Spliced {
        /// The start of the part, in characters.
        at: u8,
        /// The length of the part.
        cut: u8,
        /// The replacement.
        text: String,
    },
    /// The text or the list, repeated this many times.
    Repeated(u8),
    /// A value of any type.
    AnyType(u8),
}

impl New {
    /// A value from a random number.
    pub fn drawn(random: u64) -> Self {
        let [how, which, more, ..] = random.to_le_bytes();
        match how % 8 {
            0 | 1 => Self::Alike(u16::from_le_bytes([which, more])),
            2 => Self::Elsewhere(u16::from_le_bytes([which, more])),
            3 => Self::Near(which.cast_signed()),
            _ => Self::Extreme(which),
        }
    }

    /// The new value for `old`, which is at this place in a record of this kind.
    pub fn instead_of(&self, old: &Value, stored: &Stored, kind: usize, pointer: &str) -> Option<Value> {
        match (self, old) {
            (Self::Alike(which), _) => nth(stored.alike(kind, pointer), (*which).into()),
            (Self::Elsewhere(which), _) => nth(stored.of_type(old), (*which).into()),
            (Self::AnyType(which), _) => Some(any_type(*which)),
            (_, Value::Number(old)) => self.number(old.as_i128()?),
            (_, Value::String(old)) => Some(self.text(old).into()),
            (_, Value::Array(old)) => Some(self.list(old).into()),
            (_, Value::Bool(old)) => Some((!old).into()),
            (_, Value::Null) => Some(any_type(self.byte())),
            (_, Value::Object(_)) => Some(json!({})),
        }
    }

    fn number(&self, old: i128) -> Option<Value> {
        let number = match self {
            Self::Near(by) => old + i128::from(*by),
            _ => nth(NUMBERS, self.byte().into())?,
        };
        i64::try_from(number).map(Value::from).or(u64::try_from(number).map(Value::from)).ok()
    }

    fn text(&self, old: &str) -> String {
        match self {
            Self::Near(by) => match old.parse::<i128>() {
                Ok(old) => (old + i128::from(*by)).to_string(),
                Err(_) => text(self.byte()),
            },
            Self::Spliced { at, cut, text } => {
                let at = usize::from(*at) % (old.chars().count() + 1);
                let (before, after) = (old.chars().take(at), old.chars().skip(at + usize::from(*cut)));
                before.chain(text.chars()).chain(after).collect()
            }
            Self::Repeated(times) => old.repeat(usize::from(*times).min(LONGEST / old.len().max(1))),
            _ => text(self.byte()),
        }
    }

    fn list(&self, old: &[Value]) -> Vec<Value> {
        match self {
            Self::Repeated(times) => {
                let length = (old.len() * usize::from(*times)).min(LONGEST);
                old.iter().cycle().take(length).cloned().collect()
            }
            _ if self.byte().is_multiple_of(2) => Vec::new(),
            _ => old.iter().rev().cloned().collect(),
        }
    }

    /// One of its bytes.
    fn byte(&self) -> u8 {
        match self {
            Self::Extreme(byte) | Self::Repeated(byte) | Self::AnyType(byte) | Self::Spliced { at: byte, .. } => *byte,
            Self::Near(byte) => byte.cast_unsigned(),
            Self::Alike(which) | Self::Elsewhere(which) => which.to_le_bytes()[0],
        }
    }
}

fn nth<T: Clone>(values: &[T], which: usize) -> Option<T> {
    values.get(which % values.len().max(1)).cloned()
}

/// A text, or a number as text, because servers answer with texts.
fn text(which: u8) -> String {
    match usize::from(which) % (TEXTS.len() + NUMBERS.len()) {
        at if at < TEXTS.len() => TEXTS[at].to_owned(),
        at => NUMBERS[at - TEXTS.len()].to_string(),
    }
}

fn any_type(which: u8) -> Value {
    match which % 6 {
        0 => Value::Null,
        1 => json!(which > 127),
        2 => json!(f64::MAX),
        3 => json!(u64::MAX),
        4 => text(which / 6).into(),
        _ => json!([[{}]]),
    }
}
