//! Paths in containers, and values that come to be files there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Whether a path is another one, or lies below it. The other one has no slash at its end.
pub fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The text of a value in a Secret's data.
///
/// # Errors
/// When it is no Base64, or no text.
pub fn secret_text(value: &Value) -> Result<String, String> {
    let encoded = value.as_str().ok_or("it is no string")?;
    let bytes = STANDARD.decode(encoded).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())
}
