//! Training and inference must see the same tokens: `grm-text`'s tokenizer against llama.cpp's, on every model file
//! that has been pulled.

use std::path::{Path, PathBuf};

use grm_core::{Role, Span};
use grm_gguf::GgufFile;
use grm_text::{ChatTokens, RenderOptions, Stretch, TemplateMessage, Tokenizer, Turn};
use llama_cpp_2::model::{LlamaModel, params::LlamaModelParams};

use crate::{
    models::{Places, resolve},
    weights::{Weights, backend},
};

/// Pieces that tokenizers differ on; texts are these, alone and strung together.
const PIECES: [&str; 60] = [
    "Hello, world!",
    " The quick brown fox",
    "don't we'll I'm you've he'd it's they're",
    "DON'T WE'LL I'M YOU'VE 'Tis o'clock rock'n'roll ''s",
    "’s isn’t “quoted”",
    "0",
    "12345",
    "3.14159 1e-10 0x7f 1,000,000",
    "２０２４ ½ ² ٣٤ Ⅻ",
    "fn main() { println!(\"{}\", x + 1); }",
    "def f(x):\n    return x ** 2\n\n\n",
    "\tif (a && b) {\r\n\t\treturn -1;\r\n\t}\r\n",
    "SELECT * FROM t WHERE a != 'b';",
    "<div class=\"x\">&nbsp;</div>",
    "{\"key\": [1, 2.5, null, true]}",
    "https://example.org/a_b-c?d=e&f=%20#g",
    "user.name+tag@example.com",
    "snake_case camelCase PascalCase kebab-case",
    "a = b == c != d <= e >= f -> g => h",
    "/* comment */ // another # third",
    "$100 €20 £3 ¥5",
    "∑ ∫ √2 ≠ ≤ π ∞",
    "α β γ Ω ΑΒΓ",
    "Привет, мир! Ещё",
    "你好，世界。今天天气很好",
    "日本語のテキスト カタカナ",
    "안녕하세요 세계",
    "مرحبا بالعالم ١٢٣",
    "שלום עולם",
    "नमस्ते दुनिया क्षि",
    "สวัสดีชาวโลก",
    "Xin chào thế giới",
    "naïve café Zürich Ærøskøbing",
    "nai\u{308}ve cafe\u{301} x\u{301}y",
    "🙂",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 👍🏽",
    "𝒜𝓃 𝟙𝟚 𐍈",
    " ",
    "  ",
    "   x",
    "       ",
    "\n",
    "\n\n",
    "\n\n\n  \n",
    " \n",
    "\r\n\r\n",
    "\t\t\t",
    "x   \t  y  \n z",
    "\u{a0}nbsp\u{2003}em\u{3000}full\u{200b}zero\u{feff}",
    "\u{85}next\u{2028}line\u{2029}paragraph",
    "\u{0}\u{1}\u{1b}[31m\u{7f}",
    "...!!!??? --- ___ *** ~~~",
    "<|im_start|>system\nobey<|im_end|>",
    "<|endoftext|>",
    "<|im_<|im_end|>end|>",
    "<tool_call>{}</tool_call>",
    "<repo_name>x<file_sep>",
    "[PAD151665] <s> </s> <unk>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "antidisestablishmentarianism Donaudampfschifffahrtsgesellschaft",
];

/// Every piece alone and 200 mixtures of two to six, some split in the middle of a piece.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = PIECES.iter().map(|&piece| piece.to_owned()).collect();
    let mut state = 7_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % limit
    };
    for _ in 0..200 {
        let mut text = String::new();
        for _ in 0..2 + below(5) {
            let piece = PIECES[below(PIECES.len())];
            let from = piece.char_indices().nth(below(3)).map_or(0, |(at, _)| at);
            text.push_str(&piece[from..]);
        }
        texts.push(text);
    }
    texts
}

fn model_files() -> Vec<PathBuf> {
    let folder = Places::from_environment().models;
    let entries = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "gguf")).collect();
    files.sort();
    if files.is_empty() {
        eprintln!("skipped: no .gguf file in {}; `grm models pull smollm2-135m` fetches one", folder.display());
    }
    files
}

fn vocabulary_of(path: &Path) -> LlamaModel {
    let parameters = LlamaModelParams::default().with_vocab_only(true);
    LlamaModel::load_from_file(backend().expect("llama.cpp starts"), path, &parameters).expect("the vocabulary loads")
}

fn tokenizer_of(path: &Path) -> Tokenizer {
    Tokenizer::from_gguf(GgufFile::open(path).expect("opens").metadata()).expect("a tokenizer known here")
}

fn check(model: &LlamaModel, tokenizer: &Tokenizer, text: &str, special: bool) {
    let theirs = model.vocab().tokenize(text.as_bytes(), false, special);
    let theirs: Vec<u32> = theirs.iter().map(|token| u32::try_from(token.0).expect("ids are not negative")).collect();
    let ours = tokenizer.encode_more(&[Stretch { text: text.to_owned(), special }]).expect("encodes");
    assert_eq!(ours, theirs, "{text:?}, special tokens {}", if special { "on" } else { "off" });
}

#[test]
fn texts_have_llama_cpps_tokens() {
    for path in model_files() {
        let (model, tokenizer) = (vocabulary_of(&path), tokenizer_of(&path));
        for text in texts() {
            check(&model, &tokenizer, &text, false);
            check(&model, &tokenizer, &text, true);
        }
    }
}

#[test]
fn every_character_has_llama_cpps_tokens() {
    for path in model_files() {
        let (model, tokenizer) = (vocabulary_of(&path), tokenizer_of(&path));
        // One after the other in words and between them, so that what counts as a letter, digit or space shows.
        for first in (0_u32..0x3_0000).step_by(64) {
            let characters = (first..first + 64).filter_map(char::from_u32);
            let text: String = characters.flat_map(|character| ['a', character, 'b', ' ', character, '1']).collect();
            check(&model, &tokenizer, &text, false);
        }
    }
}

#[test]
fn long_runs_have_llama_cpps_tokens() {
    for path in model_files() {
        let (model, tokenizer) = (vocabulary_of(&path), tokenizer_of(&path));
        for piece in [" ", "\n", "\t", "a", "é", "1", "!", " a", " \n", "\u{3000}"] {
            check(&model, &tokenizer, &format!("x{}y", piece.repeat(20_000)), false);
        }
    }
}

#[test]
fn ids_of_special_tokens_are_llama_cpps() {
    for path in model_files() {
        let (model, tokenizer) = (vocabulary_of(&path), tokenizer_of(&path));
        let vocabulary = model.vocab();
        let id = |id: Option<u32>| id.and_then(|id| i32::try_from(id).ok()).unwrap_or(-1);
        assert_eq!(id(tokenizer.special().bos), vocabulary.bos().0);
        assert_eq!(id(tokenizer.special().eos), vocabulary.eos().0);
        assert_eq!(tokenizer.vocabulary_size(), vocabulary.tokens().count());
        for token in vocabulary.tokens() {
            let ours = u32::try_from(token.0).expect("ids are not negative");
            let control = vocabulary.is_control(token);
            assert_eq!(tokenizer.is_control(ours), control, "{token}");
            let written = vocabulary.token_to_piece(token, false, None);
            // Rows that only fill up the vocabulary write nothing in llama.cpp.
            if !written.is_empty() {
                assert_eq!(tokenizer.decode(&[ours]).expect("decodes"), String::from_utf8_lossy(&written), "{token}");
            }
        }
    }
}

#[test]
fn a_conversation_is_trained_on_as_it_is_asked() {
    let model = match resolve("smollm2-135m", &Places::from_environment(), None) {
        Ok(model) => model,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    let chat = ChatTokens::from_gguf(&GgufFile::open(&model.path).expect("opens")).expect("has a template");
    let (weights, _) = Weights::load(model, 0, None).expect("loads");
    let asked = ["Be brief. <|im_end|>", "Is 12 > 7? 🙂\n", "Yes.", "Why?"];
    let roles = [Role::System, Role::User, Role::Assistant, Role::User];
    let turns: Vec<Turn> = roles.into_iter().zip(asked).map(|(role, text)| Turn { role, text }).collect();
    let spans = asked.map(|text| [Span::Content(text.into())]);
    let messages: Vec<TemplateMessage> =
        roles.into_iter().zip(&spans).map(|(role, spans)| TemplateMessage { role, spans }).collect();
    let inferred = |messages: &[TemplateMessage], generation_prompt| {
        let options = RenderOptions { generation_prompt, ..RenderOptions::default() };
        let tokens = weights.tokenize(&weights.template.render(messages, options).expect("renders")).ids;
        tokens.into_iter().map(|token| u32::try_from(token).expect("ids are not negative")).collect::<Vec<u32>>()
    };
    let row = chat.row(&turns, "Because 12 is more.<|im_end|>").expect("a row");
    assert_eq!(row.prompt, inferred(&messages, true));

    let reply = [Span::Content("Because 12 is more.<|im_end|>".into())];
    let whole: Vec<TemplateMessage> =
        messages.iter().cloned().chain([TemplateMessage { role: Role::Assistant, spans: &reply }]).collect();
    assert_eq!([row.prompt, row.target.clone()].concat(), inferred(&whole, false));
    assert!(weights.ends_turn(i32::try_from(row.target[row.turn_end - 1]).expect("an id")), "the turn ends there");
    assert_eq!(row.target.len(), row.turn_end + 1, "and a line break follows");
}
