//! What an endpoint can do, found out by asking: the material of `grm doctor`.

use std::sync::Arc;

use grm_core::ModelError;

use crate::{api_key::ApiKey, transport::Transport};

/// How one point stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Ok,
    /// Works, but something is missing or slower.
    Warn,
    /// Does not work.
    Fail,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    /// How it stands.
    pub health: Health,
    /// What was looked at.
    pub subject: &'static str,
    /// What was found.
    pub finding: String,
    /// What to do about it; empty when all is well.
    pub cure: String,
}

/// All findings about one endpoint, in the order they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointReport {
    /// The address without credentials.
    pub place: String,
    /// The findings.
    pub lines: Vec<ReportLine>,
}

/// Looks at what answers at an address.
pub async fn probe(
    base_url: &str,
    api_key: Option<ApiKey>,
    transport: Arc<Transport>,
) -> Result<EndpointReport, ModelError> {
    let connection = crate::connection::Connection::new(base_url, api_key, transport)?;
    let _list: crate::models::ModelList = connection.look("/v1/models").await?;
    Ok(EndpointReport { place: connection.address.place(), lines: Vec::new() })
}
