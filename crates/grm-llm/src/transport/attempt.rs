//! One request and what came of it, sorted into "answered", "try again" and "never".

use std::time::{Duration, SystemTime};

use grm_core::ModelError;
use reqwest::{Response, StatusCode, header};

use super::{backoff, rejection};
use crate::{address::Route, api_key::ApiKey};

/// Of an error reply no more than this is read.
const ERROR_BODY_LIMIT: usize = 64 << 10;

/// Why a decoder could not use a body that arrived whole.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// It is not a whole JSON document: cut off or put in by something between us and the server. Worth asking again.
    Broken(String),
    /// It is a document of another shape: asking again would bring the same.
    Shape(String),
    /// It says something that is an error of its own.
    Refused(ModelError),
}

/// An attempt without a usable reply.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Asking again may help.
    Passing(Trouble),
    /// It will not.
    Final(ModelError),
}

/// Passing trouble.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) kind: TroubleKind,
    pub(crate) reason: String,
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// No connection.
    Connect,
    /// Connected, but closed before a reply began: usually a kept connection the server had just given up.
    ClosedEarly,
    /// The deadline passed.
    TimedOut,
    /// 429.
    Overloaded,
    /// Another status worth asking again.
    Status,
    /// The reply was cut or is no JSON document.
    Broken,
}

impl Trouble {
    pub(crate) fn new(kind: TroubleKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), retry_after: None }
    }

    fn from_sending(error: &reqwest::Error) -> Self {
        let kind = if error.is_connect() {
            TroubleKind::Connect
        } else if error.is_timeout() {
            TroubleKind::TimedOut
        } else {
            TroubleKind::ClosedEarly
        };
        Self::new(kind, innermost(error))
    }
}

/// The deepest cause, which is the one that says something and never holds a URL.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// What an attempt needs to know beyond the request.
pub(crate) struct Reading<'a> {
    pub(crate) route: &'a Route,
    pub(crate) key: Option<&'a ApiKey>,
    pub(crate) limit: usize,
}

/// Sends, reads and decodes.
pub(crate) async fn attempt<T>(
    client: &reqwest::Client,
    request: reqwest::Request,
    reading: &Reading<'_>,
    decode: impl Fn(&[u8]) -> Result<T, Unreadable>,
) -> Result<T, Failure> {
    let response =
        client.execute(request).await.map_err(|error| Failure::Passing(Trouble::from_sending(&error.without_url())))?;
    let status = response.status();
    if !status.is_success() {
        return Err(refused(response, reading).await);
    }
    let body = read_body(response, reading).await?;
    decode(&body).map_err(|unreadable| match unreadable {
        Unreadable::Broken(reason) => Failure::Passing(Trouble::new(TroubleKind::Broken, reason)),
        Unreadable::Shape(reason) => Failure::Final(bad_reply(reading.route, reason)),
        Unreadable::Refused(error) => Failure::Final(error),
    })
}

pub(crate) fn bad_reply(route: &Route, reason: String) -> ModelError {
    ModelError::BadReply { place: route.place.clone(), reason }
}

async fn read_body(mut response: Response, reading: &Reading<'_>) -> Result<Vec<u8>, Failure> {
    let too_large = || {
        let reason = format!("it is larger than {} MiB", reading.limit >> 20);
        Failure::Final(bad_reply(reading.route, reason))
    };
    let announced = response.content_length().unwrap_or(0);
    if announced > reading.limit as u64 {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > reading.limit => return Err(too_large()),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => {
                let reason = format!("the reply was cut after {} bytes: {}", body.len(), innermost(&error));
                return Err(Failure::Passing(Trouble::new(TroubleKind::Broken, reason)));
            }
        }
    }
}

async fn refused(response: Response, reading: &Reading<'_>) -> Failure {
    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let retry_after = header(header::RETRY_AFTER).and_then(|value| backoff::retry_after(&value, SystemTime::now()));
    let location = header(header::LOCATION);
    let body = read_some(response).await;
    let reason = rejection::reason(&body, reading.key);
    let kind = match status {
        StatusCode::TOO_MANY_REQUESTS => TroubleKind::Overloaded,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => TroubleKind::Status,
        other if other.is_server_error() => TroubleKind::Status,
        _ => return Failure::Final(rejection::error(status, reading, &body, reason, location.as_deref())),
    };
    Failure::Passing(Trouble { kind, reason: format!("HTTP {}: {reason}", status.as_u16()), retry_after })
}

/// The start of an error reply; trouble while reading it is no news.
async fn read_some(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(ERROR_BODY_LIMIT - body.len())]);
        if body.len() >= ERROR_BODY_LIMIT {
            break;
        }
    }
    body
}
