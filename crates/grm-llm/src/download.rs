//! Downloading a file, such as a model from a hub: streamed to disk, redirects followed, the key sent to the first host
//! only.

use std::{io::Write, time::Duration};

use grm_core::ModelError;

/// What the server said of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Downloaded {
    /// `X-Repo-Commit`.
    pub commit: Option<String>,
    /// `X-Linked-Etag`, else `ETag`, without quotes or weakness mark.
    pub etag: Option<String>,
}

/// Streams `url` into `into`. `progress` hears the bytes written so far and the length, where the server tells it.
pub async fn download(
    url: &str,
    token: Option<&str>,
    into: &mut std::fs::File,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<Downloaded, ModelError> {
    let unreachable =
        |error: &reqwest::Error| ModelError::Unreachable { place: url.to_owned(), reason: error.without_url_text() };
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(60))
        .build()
        .map_err(|error| unreachable(&error))?;
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let mut response = request.send().await.map_err(|error| unreachable(&error))?;
    let status = response.status();
    if !status.is_success() {
        let hint = match status.as_u16() {
            401 | 403 => "the file may be gated: accept its terms on the hub and set HF_TOKEN",
            404 => "check the repository, the file's name and the revision",
            _ => "try again later",
        };
        let reason = status.canonical_reason().unwrap_or("an error").to_owned();
        return Err(ModelError::Rejected { place: url.to_owned(), status: status.as_u16(), reason, hint: hint.into() });
    }
    let header = |name: &str| {
        Some(response.headers().get(name)?.to_str().ok()?.trim_start_matches("W/").trim_matches('"').to_owned())
    };
    let found = Downloaded { commit: header("x-repo-commit"), etag: header("x-linked-etag").or(header("etag")) };
    let length = response.content_length();
    let mut written = 0;
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        into.write_all(&chunk).map_err(|error| ModelError::Engine {
            context: format!("could not write the download of {url}; is the disk full?"),
            source: Box::new(error),
        })?;
        written += chunk.len() as u64;
        progress(written, length);
    }
    if length.is_some_and(|length| length != written) {
        let reason = format!("the download ended after {written} of {} bytes", length.unwrap_or_default());
        return Err(ModelError::Unreachable { place: url.to_owned(), reason });
    }
    Ok(found)
}

/// An error's text without the URL, which the message already names and which may carry a signed query.
trait WithoutUrlText {
    fn without_url_text(&self) -> String;
}

impl WithoutUrlText for reqwest::Error {
    fn without_url_text(&self) -> String {
        let mut cause: &dyn std::error::Error = self;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        cause.to_string()
    }
}
