//! Where a server is, and how to name it without its credentials.

use std::fmt;

use grm_core::ModelError;
use reqwest::Url;

/// A server's root; `…/v1` at the end of what people paste is taken off, because native routes live beside it.
#[derive(Clone)]
pub(crate) struct Address {
    root: Url,
}

/// One URL to ask, and the name it has in messages.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) url: Url,
    pub(crate) place: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl Address {
    pub(crate) fn parse(base_url: &str) -> Result<Self, ModelError> {
        let refuse = |reason: &str| ModelError::Unreachable {
            place: without_credentials_text(base_url),
            reason: format!("{reason}; write it like http://127.0.0.1:8000"),
        };
        let mut root = Url::parse(base_url.trim()).map_err(|_| refuse("it is not a URL"))?;
        if !matches!(root.scheme(), "http" | "https") || !root.has_host() {
            return Err(refuse("it is not an http:// or https:// address"));
        }
        root.set_fragment(None);
        let path = root.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        root.set_path(&path);
        Ok(Self { root })
    }

    pub(crate) fn route(&self, path: &str) -> Route {
        let mut url = self.root.clone();
        url.set_path(&format!("{}{path}", self.root.path().trim_end_matches('/')));
        Route { place: without_credentials(&url), url }
    }

    pub(crate) fn root(&self) -> &Url {
        &self.root
    }

    pub(crate) fn place(&self) -> String {
        without_credentials(&self.root).trim_end_matches('/').to_owned()
    }
}

/// The URL as it may be shown: no user, no password, no query (some services put the key there).
fn without_credentials(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// The same of text that may not be a URL at all.
pub(crate) fn without_credentials_text(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, after)| after);
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &str, place: &str) {
        assert_eq!(Address::parse(base).unwrap().route("/v1/models").place, place);
    }

    #[test]
    fn a_trailing_v1_and_slashes_do_not_matter() {
        check("http://host:8000", "http://host:8000/v1/models");
        check("http://host:8000/", "http://host:8000/v1/models");
        check(" http://host:8000/v1/ ", "http://host:8000/v1/models");
        check("https://host/api/v1", "https://host/api/v1/models");
    }

    #[test]
    fn credentials_and_queries_are_never_shown() {
        check("http://user:secret@host:1/v1?key=secret", "http://host:1/v1/models");
        let error = Address::parse("ftp://user:secret@host/?key=secret").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(error.contains("http://127.0.0.1:8000"), "{error}");
    }

    #[test]
    fn an_address_without_a_scheme_says_how_to_write_it() {
        let error = Address::parse("localhost:8000").unwrap_err().to_string();
        assert!(error.contains("write it like http://"), "{error}");
    }
}
