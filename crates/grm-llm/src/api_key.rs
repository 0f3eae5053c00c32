//! A secret that cannot be printed.

use std::fmt;

use grm_core::ModelError;
use reqwest::header::HeaderValue;

/// The bearer key of an endpoint, and where it came from. `Debug` shows the source only.
#[derive(Clone)]
pub struct ApiKey {
    source: String,
    secret: String,
    header: HeaderValue,
}

impl ApiKey {
    /// Wraps a key read from `source` (the name of an environment variable). White space around it is dropped; a key
    /// that cannot stand in a header is refused without being shown.
    pub fn new(source: impl Into<String>, secret: &str) -> Result<Self, ModelError> {
        let (source, secret) = (source.into(), secret.trim().to_owned());
        let mut header = HeaderValue::from_str(&format!("Bearer {secret}")).map_err(|error| ModelError::Engine {
            context: format!("the key in {source} holds characters that cannot be sent; set it again on one line"),
            source: Box::new(error),
        })?;
        header.set_sensitive(true);
        Ok(Self { source, secret, header })
    }

    /// Reads the environment variable; `None` when it is unset or empty.
    pub fn from_env(variable: &str) -> Result<Option<Self>, ModelError> {
        match std::env::var(variable) {
            Ok(secret) if !secret.trim().is_empty() => Self::new(variable, &secret).map(Some),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// Where the key came from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Takes the key out of text a server sent back.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.secret.is_empty() { text.to_owned() } else { text.replace(&self.secret, "[key]") }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey(from {}, redacted)", self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_and_errors_do_not_show_the_key() {
        let key = ApiKey::new("SOME_KEY", " sk-canary-1\n").unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(from SOME_KEY, redacted)");
        assert_eq!(key.redact("no such key: sk-canary-1."), "no such key: [key].");
        assert!(!format!("{:?}", key.header()).contains("canary"));
        let error = ApiKey::new("SOME_KEY", "sk-canary\u{7}2").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert!(error.to_string().contains("SOME_KEY"));
    }
}
