//! Paths in containers, and the contents of files there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Whether a path equals `above` or lies below it; `above` must have no trailing slash.
pub fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Decodes a value of a Secret's data.
///
/// # Errors
/// If it is not Base64, or not UTF-8.
pub fn secret_text(value: &Value) -> Result<String, String> {
    let encoded = value.as_str().ok_or("it is no string")?;
    let bytes = STANDARD.decode(encoded).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())
}
