//! From a request to a response, with whatever goes wrong on the way.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    canonical::{self, Key, share_of},
    chat_route::{self, Answered, Refusal},
    config::MockConfig,
    connection::ResetSwitch,
    faults::{Arrival, FaultAction},
    identity_routes, reward_route,
    server::Shared,
    stats::{Arrived, Place, Received},
};

/// Largest request read.
const REQUEST_LIMIT: usize = 64 << 20;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(model_call))
        .route("/classify", post(model_call))
        .route("/predict", post(model_call))
        .route("/mock/stats", get(stats))
        .route("/mock/counts", get(counts))
        .route("/mock/arrived", get(arrived))
        .route("/mock/reset", post(reset))
        .fallback(identity)
        .layer(DefaultBodyLimit::max(REQUEST_LIMIT))
        .with_state(shared)
}

async fn stats(State(shared): State<Arc<Shared>>) -> Response {
    json_response(StatusCode::OK, serde_json::to_vec(&shared.counts.totals()).unwrap_or_default())
}

/// One line of JSON for each different request.
async fn counts(State(shared): State<Arc<Shared>>) -> Response {
    let lines =
        shared.counts.by_key().into_iter().map(|(key, count)| format!("{}\n", json!({"key": key, "count": count})));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], lines.collect::<String>()).into_response()
}

/// One line of JSON for each of the latest requests: its path, and its parts in their order.
async fn arrived(State(shared): State<Arc<Shared>>) -> Response {
    let lines = shared.counts.arrivals().into_iter().map(|request| format!("{}\n", json!(request)));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], lines.collect::<String>()).into_response()
}

async fn reset(State(shared): State<Arc<Shared>>) -> Response {
    shared.counts.reset();
    json_response(StatusCode::OK, b"{}".to_vec())
}

async fn identity(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    let config = &shared.config;
    if uri.path() != "/health" && !authorised(&headers, config) {
        return refusal((401, "Unauthorized".to_owned()));
    }
    match identity_routes::document(uri.path(), config) {
        Some(document) => json_response(StatusCode::OK, document.to_string().into_bytes()),
        None => refusal((404, "Not Found".to_owned())),
    }
}

async fn model_call(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(switch): ConnectInfo<ResetSwitch>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path();
    // What is not JSON has a key too, so that it is counted.
    let key = canonical::key(shared.config.seed, path, &body).unwrap_or_else(|| *blake3::hash(&body).as_bytes());
    let (place, _under_way) = shared.counts.arrive(key);
    if let Err(error) = shared.keep_arrival(&key) {
        return refusal((500, format!("the request could not be kept: {error}")));
    }
    if shared.config.record {
        shared.counts.record(received(path, &headers, &body));
    }
    let fault = shared.faults().decide(&Arrival {
        key: &key,
        path,
        number: place.number,
        times_seen: place.times_seen,
        failed_in_a_row: place.failed_in_a_row,
    });
    let response = match fault {
        Some(FaultAction::Reset) => {
            shared.counts.answered(&key, 0, true);
            switch.reset();
            return StatusCode::OK.into_response();
        }
        Some(fault) => faulty(&shared, fault, path, &headers, &body, &key, place).await,
        None => reply(&shared, path, &headers, &body, &key, place).await,
    };
    shared.counts.answered(&key, response.status().as_u16(), fault.is_some_and(FaultAction::fails));
    response
}

fn received(path: &str, headers: &HeaderMap, body: &[u8]) -> Received {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Received { at: std::time::Instant::now(), path: path.to_owned(), body: body.to_vec(), authorization }
}

fn authorised(headers: &HeaderMap, config: &MockConfig) -> bool {
    let Some(key) = &config.api_key else { return true };
    headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes() == format!("Bearer {key}").as_bytes())
}

/// The right reply, in its time.
async fn reply(shared: &Shared, path: &str, headers: &HeaderMap, body: &[u8], key: &Key, place: Place) -> Response {
    let config = &shared.config;
    if !authorised(headers, config) {
        return refusal((401, "Unauthorized".to_owned()));
    }
    if config.max_concurrency.is_some_and(|most| place.in_flight > most) {
        let mut response = refusal((429, "too many requests at once".to_owned()));
        set_header(&mut response, header::RETRY_AFTER, &config.retry_after_seconds.to_string());
        return response;
    }
    let _slot = match &shared.slots {
        Some(slots) => slots.acquire().await.ok(),
        None => None,
    };
    let latency = latency(key, config);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let answer = if path == "/v1/chat/completions" {
        chat_route::answer(body, key, config, &shared.prefixes).map(|Answered { json, blocks, parts }| {
            shared.prefixes.remember(blocks);
            (json, parts)
        })
    } else {
        reward_route::answer(path, body, key, config)
    };
    let answer = answer.map(|(json, parts)| {
        shared.counts.note_arrival(Arrived { path: path.to_owned(), parts });
        json
    });
    answer.map_or_else(refusal, |json| json_response(StatusCode::OK, json))
}

fn latency(key: &Key, config: &MockConfig) -> Duration {
    let [least, most] = config.latency_ms;
    if most == 0 {
        return Duration::ZERO;
    }
    Duration::from_millis(least) + Duration::from_millis(most - least).mul_f64(share_of(key, "latency"))
}

async fn faulty(
    shared: &Shared,
    fault: FaultAction,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
    key: &Key,
    place: Place,
) -> Response {
    let right = || reply(shared, path, headers, body, key, place);
    match fault {
        FaultAction::Status { code, retry_after } => {
            let mut response = refusal((code, format!("scripted fault {code}")));
            if let Some(retry_after) = retry_after {
                set_header(&mut response, header::RETRY_AFTER, &retry_after.header());
            }
            response
        }
        FaultAction::Delay(milliseconds) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            right().await
        }
        FaultAction::CutBody(bytes) => cut(right().await, bytes).await,
        FaultAction::TruncatedJson => {
            let whole = bytes_of(right().await).await;
            json_response(StatusCode::OK, whole[..whole.len() / 2].to_vec())
        }
        FaultAction::SlowBody(milliseconds) => slow(right().await, Duration::from_millis(milliseconds)).await,
        FaultAction::HtmlOk => {
            ([(header::CONTENT_TYPE, "text/html")], "<html><body><h1>Welcome</h1></body></html>").into_response()
        }
        FaultAction::WrongShape => json_value(&json!({"answer": 42})),
        FaultAction::EmptyChoices => json_value(&json!({"choices": [], "data": []})),
        FaultAction::NullContent => {
            let message = json!({"role": "assistant", "content": null});
            json_value(&json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}))
        }
        FaultAction::HugeBody(bytes) => huge(bytes),
        FaultAction::Reset => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn bytes_of(response: Response) -> Bytes {
    axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default()
}

/// Promises the whole body and breaks the connection after some of it.
async fn cut(response: Response, after: usize) -> Response {
    let whole = bytes_of(response).await;
    let part = whole.slice(..after.min(whole.len().saturating_sub(1)));
    // The break comes one turn later, so that the head and the part are sent before it.
    let pieces = stream::iter([Ok(part)]).chain(stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    }));
    let mut response = Response::new(Body::from_stream(pieces));
    set_header(&mut response, header::CONTENT_TYPE, "application/json");
    set_header(&mut response, header::CONTENT_LENGTH, &whole.len().to_string());
    response
}

async fn slow(response: Response, pause: Duration) -> Response {
    let whole = bytes_of(response).await;
    let bytes = (0..whole.len()).map(move |at| whole.slice(at..=at));
    let drip = stream::iter(bytes).then(move |byte| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, std::convert::Infallible>(byte)
    });
    Response::new(Body::from_stream(drip))
}

fn huge(bytes: u64) -> Response {
    const PIECE: u64 = 64 << 10;
    let blank = Bytes::from(vec![b' '; PIECE as usize]);
    let pieces = (0..bytes.div_ceil(PIECE)).map(move |index| {
        let left = bytes - index * PIECE;
        Ok::<_, std::convert::Infallible>(blank.slice(..left.min(PIECE) as usize))
    });
    Response::new(Body::from_stream(stream::iter(pieces)))
}

fn refusal((status, message): Refusal) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({"error": {"message": message, "type": status.canonical_reason(), "code": status.as_u16()}});
    json_response(status, body.to_string().into_bytes())
}

fn json_value(value: &Value) -> Response {
    json_response(StatusCode::OK, value.to_string().into_bytes())
}

fn json_response(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn set_header(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
