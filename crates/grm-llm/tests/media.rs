//! Pictures, clips and sounds as each kind of server gets them, and the whole method over them.

mod support;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use grm_core::{
    ChatModel, ChatRequest, Choice, Comparison, Invalid, MediaLibrary, MediaRef, Message, ModelError, Part, Preference,
    Prompt, RankedBy, Response, RewardModel, RewardRequest, Role, Span, Turn,
};
use grm_data::{FolderLibrary, MediaFields, ReadOptions};
use grm_judge::{JudgeSettings, JudgedPair, Pipeline, Prompts};
use grm_llm::{ChatEndpoint, MediaSettings, RemoteChat, RemoteReward, RewardEndpoint, Transport};
use grm_mock::{ArrivedPart, MockConfig, MockDialect, MockMedia, MockServer};
use sha2::{Digest, Sha256};
use support::{origin, quick, request, server};

/// One white pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\0\0\0\nIDATx\x9c\x63\xf8\x0f\0\x01\x01\x01\0\x1b\xb6\xee\x56\0\0\0\0IEND\xae\x42\x60\x82";
/// Two samples of silence.
const WAV: &[u8] =
    b"RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\x04\0\0\0\0\0\0\0";
/// The box a clip begins with; no server here looks further.
const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\x02\0isommp42";
const FLAC: &[u8] = b"fLaC\0\0\0\x22";

/// Media by path.
struct Shelf(BTreeMap<&'static str, &'static [u8]>);

impl Shelf {
    fn library() -> Arc<dyn MediaLibrary> {
        let files = [("a.png", PNG), ("a.wav", WAV), ("a.mp4", MP4), ("a.flac", FLAC), ("b.png", WAV)];
        Arc::new(Self(BTreeMap::from(files)))
    }
}

impl MediaLibrary for Shelf {
    fn bytes(&self, media: &MediaRef) -> Result<Arc<[u8]>, ModelError> {
        let found = self.0.get(media.path.as_str()).copied();
        found.map(Arc::from).ok_or_else(|| ModelError::Media { path: media.path.clone(), reason: "not here".into() })
    }
}

fn media(path: &str, bytes: &[u8]) -> MediaRef {
    MediaRef { sha256: format!("{:x}", Sha256::digest(bytes)), path: path.into() }
}

fn picture() -> Span {
    Span::Image(media("a.png", PNG))
}

fn clip() -> Span {
    Span::Video(media("a.mp4", MP4))
}

fn sound() -> Span {
    Span::Audio(media("a.wav", WAV))
}

fn showing(spans: Vec<Span>) -> ChatRequest {
    let system = Message { role: Role::System, spans: vec![Span::Template("Look and listen.".into())] };
    let messages = vec![system, Message { role: Role::User, spans }];
    ChatRequest { messages, ..request("") }
}

/// Texts before, between and after; the two that meet are one part.
fn around(media: Vec<Span>) -> ChatRequest {
    let mut spans = vec![Span::Template("[Conversation]\n".into()), Span::Content("Is <image> \"this\"".into())];
    for (place, medium) in media.into_iter().enumerate() {
        spans.push(medium);
        spans.push(Span::Template(format!(" then {place}\n").into()));
    }
    showing(spans)
}

async fn chat(mock: &MockServer, media_settings: MediaSettings) -> Result<RemoteChat, ModelError> {
    let endpoint = ChatEndpoint { media: Some(Shelf::library()), media_settings, ..ChatEndpoint::new(mock.url()) };
    RemoteChat::connect(endpoint, Transport::new(quick())).await
}

/// The body a server of this dialect got, and the server.
async fn sent(dialect: MockDialect, asked: ChatRequest, settings: MediaSettings) -> (String, MockServer) {
    let mock = server(MockConfig { dialect, record: true, ..MockConfig::default() }).await;
    chat(&mock, settings).await.expect("the mock answers").chat(asked).await.expect("a reply");
    let body = String::from_utf8(mock.received()[0].body.clone()).expect("JSON");
    (body, mock)
}

#[tokio::test]
async fn each_software_gets_its_own_parts() {
    let all = || around(vec![picture(), clip(), sound()]);
    let none = MediaSettings::default();
    insta::assert_snapshot!("vllm", sent(MockDialect::Vllm, all(), none).await.0);
    insta::assert_snapshot!("sglang", sent(MockDialect::Sglang, all(), none).await.0);
    let without_clip = || around(vec![picture(), sound()]);
    insta::assert_snapshot!("openai", sent(MockDialect::OpenAi, without_clip(), none).await.0);
    insta::assert_snapshot!("llama_server", sent(MockDialect::LlamaServer, without_clip(), none).await.0);
}

#[tokio::test]
async fn settings_go_where_each_software_reads_them() {
    let settings = MediaSettings {
        min_pixels: Some(3136),
        max_pixels: Some(401_408),
        fps: Some(2.0),
        use_audio_in_video: Some(true),
    };
    insta::assert_snapshot!("vllm_settings", sent(MockDialect::Vllm, showing(vec![clip()]), settings).await.0);
    let frames = MediaSettings { fps: Some(2.0), ..MediaSettings::default() };
    insta::assert_snapshot!("sglang_settings", sent(MockDialect::Sglang, showing(vec![clip()]), frames).await.0);
    let (text, _) = sent(MockDialect::Vllm, request("only words"), settings).await;
    assert!(!text.contains("mm_processor_kwargs"), "a request of text is the bytes it was: {text}");

    for (dialect, given) in [(MockDialect::Sglang, settings), (MockDialect::OpenAi, frames)] {
        let mock = server(MockConfig { dialect, ..MockConfig::default() }).await;
        let error = chat(&mock, given).await.unwrap_err();
        assert!(error.kind() == "unsupported" && error.to_string().contains("fps"), "{error}");
    }
    let mock = server(MockConfig::default()).await;
    let [plain, capped] = [MediaSettings::default(), settings].map(|settings| chat(&mock, settings));
    let (plain, capped) = (plain.await.unwrap(), capped.await.unwrap());
    assert_ne!(plain.identity(), capped.identity(), "what looks otherwise answers otherwise");
}

#[tokio::test]
async fn the_order_of_parts_holds() {
    let (_, mock) =
        sent(MockDialect::Vllm, around(vec![sound(), picture(), clip(), picture()]), MediaSettings::default()).await;
    let arrived = mock.arrived().remove(0).parts;
    let shown: Vec<(MockMedia, &str, bool)> = arrived
        .iter()
        .filter_map(|part| match part {
            ArrivedPart::Text(_) => None,
            ArrivedPart::Media { kind, sha256, has_uuid, .. } => Some((*kind, sha256.as_str(), *has_uuid)),
        })
        .collect();
    let hashes = [WAV, PNG, MP4, PNG].map(|bytes| format!("{:x}", Sha256::digest(bytes)));
    let kinds = [MockMedia::Audio, MockMedia::Image, MockMedia::Video, MockMedia::Image];
    let expected: Vec<(MockMedia, &str, bool)> =
        kinds.into_iter().zip(&hashes).map(|(kind, hash)| (kind, hash.as_str(), true)).collect();
    assert_eq!(shown, expected);
    assert_eq!(arrived.len(), 10, "the system's text, and one text before, between and after: {arrived:?}");
    assert_eq!(mock.stats().media[&MockMedia::Image], 2);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anything_is() {
    let flac = || Span::Audio(media("a.flac", FLAC));
    for (dialect, span, kind, part) in [
        (MockDialect::LlamaServer, clip(), "unsupported", "vLLM or SGLang"),
        (MockDialect::OpenAi, flac(), "unsupported", "convert the file"),
        (MockDialect::Vllm, Span::Image(media("b.png", WAV)), "media", "b.png"),
        (MockDialect::Vllm, Span::Image(media("none.png", PNG)), "media", "none.png"),
    ] {
        let mock = server(MockConfig { dialect, ..MockConfig::default() }).await;
        let error = chat(&mock, MediaSettings::default()).await.unwrap().chat(showing(vec![span])).await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(part), "{error}");
        assert!(!error.stops_the_run(), "the pair fails, not the run");
        assert_eq!(mock.stats().requests, 0);
    }
}

#[tokio::test]
async fn a_file_that_changed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.png"), PNG).unwrap();
    let mock = server(MockConfig::default()).await;
    let library: Arc<dyn MediaLibrary> = Arc::new(FolderLibrary::new([folder.path().to_owned()]));
    let endpoint = ChatEndpoint { media: Some(library), ..ChatEndpoint::new(mock.url()) };
    let chat = RemoteChat::connect(endpoint, Transport::new(quick())).await.unwrap();
    let error = chat.chat(showing(vec![Span::Image(media("a.png", MP4))])).await.unwrap_err();
    assert!(error.to_string().contains("a.png is not the file it was"), "{error}");
    chat.chat(showing(vec![picture()])).await.expect("the file as it was named");
}

fn reward_request(prompt: Vec<Part>, response: Vec<Part>) -> RewardRequest {
    let turns = vec![Turn { role: Role::User, parts: prompt }];
    RewardRequest { prompt: Prompt { turns }, response: Response { parts: response }, origin: origin() }
}

async fn reward(mock: &MockServer) -> RemoteReward {
    let endpoint = RewardEndpoint { media: Some(Shelf::library()), ..RewardEndpoint::new(mock.url()) };
    RemoteReward::connect(endpoint, Transport::new(quick())).await.expect("the mock scores")
}

#[tokio::test]
async fn a_reward_route_that_takes_messages_takes_media() {
    let mock = server(MockConfig { record: true, ..MockConfig::default() }).await;
    let reward = reward(&mock).await;
    let image = || Part::Image { media: media("a.png", PNG) };
    let asked = reward_request(vec![image(), Part::text("What"), Part::text("is it?")], vec![Part::text("White.")]);
    reward.score(asked).await.unwrap();
    let body = String::from_utf8(mock.received().pop().unwrap().body).unwrap();
    insta::assert_snapshot!("reward", body);
    let score = reward.score(reward_request(vec![Part::text("Draw.")], vec![image()])).await.unwrap();
    assert!(score.value().is_finite());
}

#[tokio::test]
async fn a_reward_route_or_model_of_text_refuses_with_the_cure() {
    let image = || reward_request(vec![Part::text("Draw.")], vec![Part::Image { media: media("a.png", PNG) }]);
    for dialect in [MockDialect::Sglang, MockDialect::Tei] {
        let mock = server(MockConfig { dialect, ..MockConfig::default() }).await;
        let error = reward(&mock).await.score(image()).await.unwrap_err();
        assert!(error.kind() == "unsupported" && error.to_string().contains("vLLM's /classify"), "{error}");
    }
    let mock = server(MockConfig { media: Vec::new(), ..MockConfig::default() }).await;
    let error = reward(&mock).await.score(image()).await.unwrap_err();
    assert!(error.kind() == "unsupported" && error.to_string().contains("takes no image"), "{error}");
}

/// The method with all three roles at one mock server.
async fn pipeline(mock: &MockServer, library: &Arc<dyn MediaLibrary>, settings: JudgeSettings) -> Pipeline {
    let transport = Transport::new(quick());
    let endpoint = ChatEndpoint { media: Some(library.clone()), ..ChatEndpoint::new(mock.url()) };
    let chat = Arc::new(RemoteChat::connect(endpoint, transport.clone()).await.expect("the mock answers"));
    let endpoint = RewardEndpoint { media: Some(library.clone()), ..RewardEndpoint::new(mock.url()) };
    let disrm = Arc::new(RemoteReward::connect(endpoint, transport).await.expect("the mock scores"));
    Pipeline::new(chat.clone(), chat, disrm, Prompts::builtin(), settings, 1)
}

fn pair(id: &str, prompt: Vec<Part>, responses: [Part; 2]) -> Comparison {
    let prompt = Prompt { turns: vec![Turn { role: Role::User, parts: prompt }] };
    Comparison { id: id.into(), prompt, responses: responses.map(|part| Response { parts: vec![part] }) }
}

fn all_in_form(judged: &JudgedPair) -> bool {
    judged.tally.0.values().all(|step| step.replies == step.valid)
}

#[tokio::test]
async fn the_method_runs_on_what_is_shown_and_on_responses_that_are_shown() {
    let library = Shelf::library();
    let asked = pair(
        "asked",
        vec![Part::Image { media: media("a.png", PNG) }, Part::text("What is this?")],
        [Part::text("A white dot."), Part::text("A black cat.")],
    );
    let drawn = pair(
        "drawn",
        vec![Part::text("Make a noise or a picture.")],
        [Part::Image { media: media("a.png", PNG) }, Part::Audio { media: media("a.wav", WAV) }],
    );
    let mock = server(MockConfig::default()).await;
    let pipeline = pipeline(&mock, &library, JudgeSettings::default()).await;

    let judged = pipeline.judge(&asked).await.unwrap();
    assert_eq!((judged.ranked_by(), judged.trajectories.len()), (Some(RankedBy::Refinement), 10));
    assert!(judged.verdict.decision.preferred().is_some() && all_in_form(&judged), "{judged:?}");
    assert!(judged.trajectories.iter().all(|trajectory| trajectory.meta.is_ok()));

    let judged = pipeline.judge(&drawn).await.unwrap();
    assert_eq!(judged.ranked_by(), Some(RankedBy::OriginalScores));
    assert!(judged.verdict.decision.preferred().is_some() && all_in_form(&judged), "{judged:?}");
    let [first, second] = judged.originals.map(|score| score.unwrap().value());
    for trajectory in &judged.trajectories {
        let gap = match trajectory.judgment.as_ref().unwrap().preferred {
            Choice::First => first - second,
            Choice::Second => second - first,
        };
        assert_eq!(trajectory.meta.unwrap().value, gap);
        assert_eq!(trajectory.refinements, [Err(Invalid::NotRefinable), Err(Invalid::NotRefinable)]);
    }
}

#[tokio::test]
async fn a_reward_model_of_text_leaves_the_order_of_proposal() {
    let mock = server(MockConfig { dialect: MockDialect::Sglang, ..MockConfig::default() }).await;
    let pipeline = pipeline(&mock, &Shelf::library(), JudgeSettings::default()).await;
    let image = || Part::Image { media: media("a.png", PNG) };
    let shown = pair("shown", vec![image(), Part::text("What?")], [Part::text("A dot."), Part::text("A cat.")]);
    let drawn = pair("drawn", vec![Part::text("Draw.")], [image(), Part::Audio { media: media("a.wav", WAV) }]);
    for (comparison, refinement) in [(shown, Invalid::Unscorable), (drawn, Invalid::NotRefinable)] {
        let judged = pipeline.judge(&comparison).await.unwrap();
        assert_eq!(judged.ranked_by(), Some(RankedBy::Proposal));
        assert_eq!(judged.originals, [Err(Invalid::Unscorable), Err(Invalid::Unscorable)]);
        let order: Vec<usize> = judged.trajectories.iter().map(|trajectory| trajectory.index).collect();
        assert_eq!(order, (0..10).collect::<Vec<_>>());
        for trajectory in &judged.trajectories {
            assert_eq!((trajectory.meta, &trajectory.refinements[0]), (Err(Invalid::Unscorable), &Err(refinement)));
        }
        let scoring = &judged.tally.0[&grm_core::Step::Scoring];
        assert_eq!((scoring.replies, scoring.invalid[&Invalid::Unscorable]), (2, 2), "counted, never a zero");
        assert!(judged.verdict.decision.preferred().is_some());
    }
}

#[tokio::test]
async fn the_shared_preferences_of_all_kinds_run_through() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dev/media/mini_prefs.jsonl");
    if !file.is_file() {
        eprintln!("skipped: no media preferences beside the checkout, at shared/data/dev/media/mini_prefs.jsonl");
        return;
    }
    let options = ReadOptions { media: MediaFields::Name, ..ReadOptions::default() };
    let records: Vec<_> = grm_data::open(&file, &options).unwrap().map(Result::unwrap).collect();
    assert_eq!(records.len(), 6);
    let library: Arc<dyn MediaLibrary> = Arc::new(FolderLibrary::new([file]));
    let mock = server(MockConfig::default()).await;
    let pipeline = pipeline(&mock, &library, JudgeSettings::default()).await;
    let mut generation = 0;
    for record in records {
        let preference =
            Preference { comparison: record.comparison().clone(), label: record.label().expect("labelled") };
        let judged = pipeline.judge(&preference.comparison).await.unwrap();
        assert!(all_in_form(&judged) && judged.verdict.decision.preferred().is_some(), "{judged:?}");
        let of_text = preference.comparison.has_text_responses();
        generation += usize::from(!of_text);
        let expected = if of_text { RankedBy::Refinement } else { RankedBy::OriginalScores };
        assert_eq!(judged.ranked_by(), Some(expected));
        let synthesised = pipeline.synthesise(&preference).await.unwrap();
        if let Some(sft) = synthesised.sft {
            assert_eq!(sft.form, grm_core::Form::NonThinking);
            assert!(sft.messages.iter().flat_map(|message| &message.spans).any(|span| span.media().is_some()));
        }
    }
    assert_eq!(generation, 2);
    let media = mock.stats().media;
    assert!([MockMedia::Image, MockMedia::Video, MockMedia::Audio].iter().all(|kind| media[kind] > 0), "{media:?}");
    assert_eq!(mock.stats().by_status.keys().collect::<Vec<_>>(), [&200]);
}
