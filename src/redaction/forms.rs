//! The forms of a secret: plain, and in every encoding that occurs around Kubernetes and MySQL.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// Shorter texts occur everywhere by chance.
const SHORTEST_CODE: usize = 6;

/// What the user information of a URL must escape (RFC 3986, section 3.2.1), and what `encodeURIComponent` escapes.
const USER_INFO: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b':')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
const COMPONENT: &AsciiSet = &USER_INFO.add(b'$').add(b'&').add(b'+').add(b',').add(b';').add(b'=');
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// All forms of a secret, each once.
pub(super) fn forms(secret: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([secret.to_owned()]);
    // A kubectl annotation holds JSON inside JSON.
    let json = [json(secret), go_json(secret)];
    let nested = json.iter().flat_map(|once| [self::json(once), go_json(once)]);
    forms.extend(nested.collect::<Vec<_>>());
    forms.extend(json);
    forms.extend([in_url(secret, USER_INFO), in_url(secret, COMPONENT), in_url(secret, UNRESERVED)].concat());
    forms.extend([secret.replace('\'', r"'\''"), secret.replace('\'', "''"), secret.replace('\'', r"\'")]);
    forms.extend([in_html(secret, "&#39;"), in_html(secret, "&#x27;"), in_html(secret, "&apos;")]);
    forms.extend(codes(secret.as_bytes()).filter(|code| code.len() >= SHORTEST_CODE));
    forms
}

/// The content of a JSON string, as most writers write it.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The same as Go, and so Kubernetes, writes it: Go escapes characters with a meaning in HTML
/// (<https://pkg.go.dev/encoding/json#Marshal>).
fn go_json(text: &str) -> String {
    json(text).replace('<', r"\u003c").replace('>', r"\u003e").replace('&', r"\u0026")
}

fn in_url(text: &str, escaped: &'static AsciiSet) -> Vec<String> {
    let upper = utf8_percent_encode(text, escaped).to_string();
    let lower = lower_digits(&upper);
    let plus = [upper.replace("%20", "+"), lower.replace("%20", "+")];
    [vec![upper, lower], plus.to_vec()].concat()
}

/// Lower-cases the digits of percent-encoding.
fn lower_digits(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at(part.len().min(2));
        format!("{text}%{}{rest}", digits.to_lowercase())
    })
}

fn in_html(text: &str, apostrophe: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', apostrophe)
}

/// Hexadecimal digits and Base64. Base64 depends on the number of preceding bytes modulo three (RFC 4648, section 4):
/// for each case, this yields the characters that depend on the secret alone.
fn codes(secret: &[u8]) -> impl Iterator<Item = String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let aligned = (0..3).flat_map(move |before: usize| {
        let bytes = [vec![0; before], secret.to_vec()].concat();
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        let own = move |text: String| text.get(first..end).unwrap_or_default().to_owned();
        [own(STANDARD_NO_PAD.encode(&bytes)), own(URL_SAFE_NO_PAD.encode(&bytes))]
    });
    [hex.to_uppercase(), hex].into_iter().chain(aligned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_in_every_encoding() {
        let forms = forms(r#"a'b"c<d&e f@g\hé"#);
        let wanted = [
            r#"a'b"c<d&e f@g\hé"#,
            r#"a'b\"c<d&e f@g\\hé"#,
            r#"a'b\"c\u003cd\u0026e f@g\\hé"#,
            r#"a'b\\\"c<d&e f@g\\\\hé"#,
            "a'b%22c%3Cd&e%20f%40g%5Ch%C3%A9",
            "a'b%22c%3cd&e%20f%40g%5ch%c3%a9",
            "a%27b%22c%3Cd%26e%20f%40g%5Ch%C3%A9",
            "a%27b%22c%3Cd%26e+f%40g%5Ch%C3%A9",
            r#"a'\''b"c<d&e f@g\hé"#,
            r#"a''b"c<d&e f@g\hé"#,
            r"a&#39;b&quot;c&lt;d&amp;e f@g\hé",
            "6127622263",
        ];
        for wanted in wanted {
            assert!(forms.iter().any(|form| form.starts_with(wanted)), "{wanted}: {forms:#?}");
        }
    }

    #[test]
    fn base64_is_known_wherever_the_secret_begins() {
        let secret = "s3cret~pass?";
        let forms = forms(secret);
        for before in ["", "a", "root:", "root:::", "\u{1}\u{2}"] {
            let text = format!("{before}{secret} and more");
            for code in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                assert!(forms.iter().any(|form| code.contains(form.as_str())), "{before}: {code}");
            }
        }
    }

    #[test]
    fn short_codes_are_left_out() {
        assert!(forms("ab").iter().all(|form| form == "ab"));
    }
}
