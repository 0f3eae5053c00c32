//! The server as a client in any language sees it.

use grm_mock::{FaultAction, FaultRule, FaultWhen, MockConfig, MockServer, serve_forever};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Head and body of the reply to a raw request, or the error the connection ended with.
async fn exchange(url: &str, line: &str, body: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await?;
    let length = body.len();
    let request =
        format!("{line} HTTP/1.1\r\nhost: mock\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    Ok((head.to_owned(), body.to_owned()))
}

async fn get(url: &str, path: &str) -> String {
    exchange(url, &format!("GET {path}"), "").await.expect("a reply").1
}

fn question(text: &str) -> String {
    serde_json::json!({"messages": [{"role": "user", "content": text}]}).to_string()
}

async fn ask(url: &str, text: &str) -> std::io::Result<(String, String)> {
    exchange(url, "POST /v1/chat/completions", &question(text)).await
}

#[tokio::test]
async fn requests_are_counted_by_what_they_say() {
    let mock = MockServer::start(MockConfig::default()).await.unwrap();
    for text in ["one", "two", "two"] {
        ask(&mock.url(), text).await.unwrap();
    }
    let spaced = question("two").replace(':', " : ");
    exchange(&mock.url(), "POST /v1/chat/completions", &spaced).await.unwrap();

    let stats: Value = serde_json::from_str(&get(&mock.url(), "/mock/stats").await).unwrap();
    assert_eq!(
        (&stats["requests"], &stats["unique_keys"], &stats["max_count_per_key"]),
        (&4.into(), &2.into(), &3.into())
    );
    assert_eq!(stats["by_status"]["200"], 4);
    let counts = get(&mock.url(), "/mock/counts").await;
    let lines: Vec<Value> = counts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut numbers: Vec<u64> = lines.iter().map(|line| line["count"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(lines[0]["key"].as_str().unwrap().len(), 64);

    exchange(&mock.url(), "POST /mock/reset", "").await.unwrap();
    assert_eq!(mock.stats(), grm_mock::MockStats::default());
}

#[tokio::test]
async fn the_same_question_gets_the_same_reply_from_every_server_with_the_same_seed() {
    let mut replies = Vec::new();
    for seed in [0, 0, 1] {
        let mock = MockServer::start(MockConfig { seed, ..MockConfig::default() }).await.unwrap();
        replies.push(ask(&mock.url(), "write exactly 5 criteria").await.unwrap().1);
        mock.shutdown().await.unwrap();
    }
    assert_eq!(replies[0], replies[1]);
    assert_ne!(replies[0], replies[2]);
}

#[tokio::test]
async fn resets_and_cuts_reach_the_wire() {
    let fault =
        |action| MockConfig { faults: vec![FaultRule::new(FaultWhen::Always, action)], ..MockConfig::default() };
    let mock = MockServer::start(fault(FaultAction::Reset)).await.unwrap();
    let error = ask(&mock.url(), "hello").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(mock.stats().by_status.get(&0), Some(&1));

    let mock = MockServer::start(fault(FaultAction::CutBody(20))).await.unwrap();
    let (head, body) = ask(&mock.url(), "hello").await.unwrap();
    let promised = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(promised.parse::<usize>().unwrap() > 100 && body.len() == 20, "{head}\n{body}");
}

#[tokio::test]
async fn what_nobody_serves_is_not_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve_forever(MockConfig::default(), listener));
    assert!(get(&url, "/v1/models").await.contains("\"owned_by\":\"vllm\""));
    let (head, _) = exchange(&url, "GET /nothing", "").await.unwrap();
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    let (head, body) = exchange(&url, "POST /v1/chat/completions", "{not json").await.unwrap();
    assert!(head.starts_with("HTTP/1.1 400") && body.contains("message"), "{head}\n{body}");
}

#[tokio::test]
async fn settings_out_of_range_do_not_start() {
    let error = MockServer::start(MockConfig { accuracy: 2.0, ..MockConfig::default() }).await.unwrap_err();
    assert!(error.to_string().contains("accuracy is 2"), "{error}");
}

#[tokio::test]
async fn what_arrived_is_told_in_its_order() {
    let mock = MockServer::start(MockConfig::default()).await.unwrap();
    // "GIF8" and no more.
    let picture = serde_json::json!({"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGOA=="}});
    let text = serde_json::json!({"type": "text", "text": "and?"});
    let body = serde_json::json!({"messages": [{"role": "user", "content": [text, picture]}]}).to_string();
    let (head, _) = exchange(&mock.url(), "POST /v1/chat/completions", &body).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let arrived: Value = serde_json::from_str(get(&mock.url(), "/mock/arrived").await.trim()).unwrap();
    assert_eq!(arrived["path"], "/v1/chat/completions");
    assert_eq!(arrived["parts"][0]["text"], 4);
    let medium = &arrived["parts"][1]["media"];
    assert_eq!(
        (&medium["kind"], &medium["media_type"], &medium["bytes"]),
        (&"image".into(), &"image/gif".into(), &4.into())
    );
    let stats: Value = serde_json::from_str(&get(&mock.url(), "/mock/stats").await).unwrap();
    assert_eq!(stats["media"]["image"], 1);
}
