//! A transport's way to one server, with its key.

use std::sync::Arc;

use grm_core::ModelError;
use serde::de::DeserializeOwned;

use crate::{
    address::{Address, Route},
    api_key::ApiKey,
    transport::{Call, Lane, Transport, Unreadable},
};

#[derive(Debug, Clone)]
pub(crate) struct Connection {
    transport: Arc<Transport>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) address: Address,
    key: Option<ApiKey>,
    attempts: u32,
}

impl Connection {
    pub(crate) fn new(base_url: &str, key: Option<ApiKey>, transport: Arc<Transport>) -> Result<Self, ModelError> {
        let address = Address::parse(base_url)?;
        let lane = transport.lane(address.root())?;
        let attempts = transport.config().attempts;
        Ok(Self { transport, lane, address, key, attempts })
    }

    /// The same with a single attempt: for looking what is there.
    pub(crate) fn once(&self) -> Self {
        Self { attempts: 1, ..self.clone() }
    }

    /// Posts JSON.
    pub(crate) async fn post<T>(
        &self,
        route: &Route,
        body: Vec<u8>,
        decode: impl Fn(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, ModelError> {
        self.call(route, Some(body)).run(decode).await
    }

    /// Gets a JSON document.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ModelError> {
        let route = self.address.route(path);
        self.call(&route, None).run(decode_json).await
    }

    fn call<'a>(&'a self, route: &'a Route, body: Option<Vec<u8>>) -> Call<'a> {
        let key = self.key.as_ref();
        Call { transport: &self.transport, lane: &self.lane, route, key, attempts: self.attempts, body }
    }
}

/// Reads a whole document of an owned type.
pub(crate) fn decode_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|error| unreadable(body, &error))
}

/// Tells a broken document (worth asking again) from one of another shape (not worth it).
pub(crate) fn unreadable(body: &[u8], error: &serde_json::Error) -> Unreadable {
    use serde_json::error::Category;
    let start: String =
        String::from_utf8_lossy(&body[..body.len().min(120)]).split_whitespace().collect::<Vec<_>>().join(" ");
    match error.classify() {
        Category::Eof => Unreadable::Broken(format!("the JSON ends too early, after {} bytes", body.len())),
        Category::Data => Unreadable::Shape(format!("{error}")),
        Category::Syntax | Category::Io if body.trim_ascii_start().starts_with(b"<") => {
            Unreadable::Broken(format!("it is a web page, not JSON: {start:.80}"))
        }
        Category::Syntax | Category::Io => Unreadable::Broken(format!("it is not JSON ({error}): {start:.80}")),
    }
}
