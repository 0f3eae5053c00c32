//! The thinker behind the traits: what is shown arrives, calls share what they can, and failures are typed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use burn::tensor::Device;
use grm_core::{
    CallOrigin, ChatModel as _, ChatRequest, MediaLibrary, MediaRef, Message, ModelError, Part, Prompt, Response,
    RewardModel as _, RewardRequest, Role, Sampling, Span, Step, Turn,
};
use grm_omni::{OmniChat, OmniFolder, OmniReward, OmniSettings, Rows};

/// The tiny random thinker of the goldens.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../grm-model/tests/goldens/omni")
}

/// Media in memory, by name.
struct Memory(BTreeMap<&'static str, Arc<[u8]>>);

impl MediaLibrary for Memory {
    fn bytes(&self, media: &MediaRef) -> Result<Arc<[u8]>, ModelError> {
        let missing = || ModelError::Media { path: media.path.clone(), reason: "there is no such file".into() };
        self.0.get(media.path.as_str()).cloned().ok_or_else(missing)
    }
}

fn library() -> Arc<dyn MediaLibrary> {
    let files = [
        ("red.png", picture([200, 30, 30])),
        ("blue.png", picture([30, 30, 200])),
        ("tone.wav", tone(16_000)),
        ("blip.wav", tone(300)),
    ];
    Arc::new(Memory(files.map(|(name, bytes)| (name, bytes.into())).into()))
}

/// A PNG of 56 x 56 pixels of one colour.
fn picture(colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_pixel(56, 56, image::Rgb(colour));
    pixels.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture can be written");
    bytes.into_inner()
}

/// A WAV of a 440 Hz tone: mono, 16 bits, 16 kHz.
fn tone(samples: u32) -> Vec<u8> {
    let data: Vec<u8> = (0..samples)
        .map(|index| ((f64::from(index) * 440.0 * std::f64::consts::TAU / 16_000.0).sin() * 9_000.0) as i16)
        .collect_bytes();
    let length = data.len() as u32;
    let head = [&b"RIFF"[..], &(36 + length).to_le_bytes(), b"WAVEfmt ", &16u32.to_le_bytes(), &[1, 0, 1, 0]].concat();
    let rates = [&16_000u32.to_le_bytes()[..], &32_000u32.to_le_bytes(), &[2, 0, 16, 0], b"data"].concat();
    [&head[..], &rates, &length.to_le_bytes(), &data].concat()
}

trait CollectBytes {
    fn collect_bytes(self) -> Vec<u8>;
}

impl<I: Iterator<Item = i16>> CollectBytes for I {
    fn collect_bytes(self) -> Vec<u8> {
        self.flat_map(i16::to_le_bytes).collect()
    }
}

fn media(path: &str) -> MediaRef {
    MediaRef { sha256: format!("sha256 of {path}"), path: path.to_owned() }
}

fn said(text: &str) -> Span {
    Span::Content(text.into())
}

fn asking(spans: Vec<Span>, max_tokens: u32) -> ChatRequest {
    ChatRequest {
        messages: vec![Message { role: Role::User, spans }],
        shared_spans: 0,
        sampling: Sampling { temperature: 0.0, top_p: 1.0, seed: 1, max_tokens, stop: Vec::new() },
        grammar: None,
        verdict_logprobs: false,
        thinking: None,
        origin: CallOrigin { pair: "p".into(), step: Step::Direct, sample: 0, template: "".into() },
    }
}

fn thinker() -> OmniChat {
    let folder = OmniFolder::open(&folder()).expect("opens");
    OmniChat::load(&folder, library(), OmniSettings::default(), &Device::default()).expect("loads")
}

#[tokio::test]
async fn what_is_seen_and_heard_changes_the_reply() {
    let chat = thinker();
    let ask = async |medium: Span| {
        let request = asking(vec![said("What is this? "), medium, said(" Say.")], 12);
        chat.chat(request).await.expect("answers").text
    };
    let red = ask(Span::Image(media("red.png"))).await;
    assert_eq!(red, ask(Span::Image(media("red.png"))).await);
    assert_ne!(red, ask(Span::Image(media("blue.png"))).await);
    assert_ne!(red, ask(Span::Audio(media("tone.wav"))).await);
}

#[tokio::test]
async fn calls_at_once_answer_as_calls_alone() {
    let requests: Vec<ChatRequest> = ["a", "b", "c", "d"]
        .map(|tail| asking(vec![Span::Image(media("red.png")), said("Which is better?"), said(tail)], 9))
        .into();
    let together = thinker();
    let replies = futures::future::join_all(requests.iter().map(|request| together.chat(request.clone()))).await;
    for (request, reply) in requests.into_iter().zip(replies) {
        let alone = thinker().chat(request).await.expect("answers");
        assert_eq!(reply.expect("answers").text, alone.text);
    }
}

#[tokio::test]
async fn ten_calls_about_a_pair_compute_a_quarter_of_their_prompts_or_less() {
    let chat = thinker();
    let question = "Compare the two responses with care and by one criterion. ".repeat(8);
    let opening = [said(&question), Span::Image(media("red.png")), Span::Audio(media("tone.wav"))];
    let (mut whole, mut computed) = (0, 0);
    for criterion in 0..10 {
        let spans = opening.iter().cloned().chain([said(&format!("Criterion {criterion}: is it true?"))]).collect();
        let usage = chat.chat(asking(spans, 1)).await.expect("answers").usage;
        whole += usage.prompt_tokens;
        computed += usage.prompt_tokens - usage.cached_tokens;
    }
    println!("{whole} prompt tokens, {computed} computed: {:.1} times fewer", whole as f64 / computed as f64);
    assert!(whole >= 4 * computed, "{whole} {computed}");
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused_by_name_and_the_thinker_goes_on() {
    let chat = thinker();
    let ask = async |span: Span| chat.chat(asking(vec![span, said("?")], 2)).await;
    let gone = ask(Span::Image(media("gone.png"))).await.expect_err("there is none").to_string();
    assert!(gone.contains("gone.png"), "{gone}");
    let short = ask(Span::Audio(media("blip.wav"))).await.expect_err("two frames give no token").to_string();
    assert!(short.contains("blip.wav"), "{short}");
    let wrong = ask(Span::Image(media("tone.wav"))).await.expect_err("a sound is no picture").to_string();
    assert!(wrong.contains("tone.wav"), "{wrong}");
    let long = chat.chat(asking(vec![said("x")], 40_000)).await.expect_err("no room");
    assert!(matches!(long, ModelError::PromptTooLong { .. }), "{long}");
    assert!(ask(Span::Image(media("red.png"))).await.is_ok());
}

#[test]
fn words_like_placeholders_stay_words_and_parts_keep_their_order() {
    let rows = Rows::new(&OmniFolder::open(&folder()).expect("opens"), library()).expect("opens");
    let row = |spans: Vec<Span>| rows.prompt(&asking(spans, 1)).expect("renders");
    let words = row(vec![said("<|IMAGE|> <|vision_bos|> <image>")]);
    let config = OmniFolder::open(&folder()).expect("opens").config().tokens;
    assert!(!words.tokens.iter().any(|&token| config.is_placeholder(token) || token == config.vision_start));
    let both = row(vec![Span::Audio(media("tone.wav")), said("then"), Span::Image(media("red.png"))]);
    let place = |wanted: u32| both.tokens.iter().position(|&token| token == wanted).expect("it is there");
    assert!(place(config.audio.expect("it hears").audio) < place(config.image));
    assert_eq!(both.media.iter().map(|medium| medium.sound.is_some()).collect::<Vec<_>>(), [true, false]);
    // 56 x 56 pixels are 2 x 2 cells; a second of sound is 25 tokens.
    let count = |wanted: u32| both.tokens.iter().filter(|&&token| token == wanted).count();
    assert_eq!((count(config.image), count(config.audio.expect("it hears").audio)), (4, 25));
}

#[tokio::test]
async fn a_vision_reward_model_scores_what_it_sees() {
    let goldens = folder().join("../vl");
    let model = tempfile::tempdir().expect("a folder");
    for name in ["config.json", "model.safetensors", "value_head.safetensors"] {
        std::fs::copy(goldens.join(name), model.path().join(name)).expect("copies");
    }
    std::fs::copy(folder().join("tokenizer.json"), model.path().join("tokenizer.json")).expect("copies");
    let opened = OmniFolder::open(model.path()).expect("opens");
    let reward = OmniReward::load(&opened, library(), &Device::default()).expect("loads");
    let score = async |name: &str, answer: &str| {
        let parts = vec![Part::Image { media: media(name) }, Part::text("What colour?")];
        let request = RewardRequest {
            prompt: Prompt { turns: vec![Turn { role: Role::User, parts }] },
            response: Response::from_text(answer),
            origin: CallOrigin { pair: "p".into(), step: Step::Scoring, sample: 0, template: "".into() },
        };
        reward.score(request).await.expect("scores").value()
    };
    let red = score("red.png", "Red.").await;
    assert_eq!(red, score("red.png", "Red.").await);
    assert_ne!(red, score("blue.png", "Red.").await);
    assert_ne!(red, score("red.png", "Blue.").await);
}
