//! Three-axis positions and expanded placeholders against the reference library's.

mod reference;

use grm_model::omni::{
    AudioTower, Grid, Media, Piece, PlaceholderError, PositionError, ThinkerConfig, VideoGrid, expand, positions,
};
use reference::{Golden, folder, rows};
use serde_json::Value;

fn config(name: &str) -> ThinkerConfig {
    ThinkerConfig::read(&folder().join(name).join("config.json")).expect("reads")
}

fn omni() -> ThinkerConfig {
    config("omni")
}

fn grid(sizes: &[f32]) -> Grid {
    Grid::new([0, 1, 2].map(|axis| sizes[axis] as usize)).expect("whole cells")
}

fn grids(golden: &Golden, name: &str) -> Vec<Grid> {
    if !golden.names().contains(&name.to_owned()) {
        return vec![];
    }
    golden.rows(name).iter().map(|row| grid(row)).collect()
}

/// What a golden's file says of its media.
fn media(golden: &Golden) -> Media {
    let has = |name: &str| golden.names().contains(&name.to_owned());
    let seconds = if has("video_second_per_grid") { golden.values("video_second_per_grid") } else { vec![] };
    let video = |(grid, seconds): (Grid, f32)| VideoGrid { grid, seconds_per_grid: f64::from(seconds) };
    let masks = if has("feature_attention_mask") { golden.rows("feature_attention_mask") } else { vec![] };
    Media {
        images: grids(golden, "image_grid_thw"),
        videos: grids(golden, "video_grid_thw").into_iter().zip(seconds).map(video).collect(),
        sounds: masks.iter().map(|mask| AudioTower::token_count(mask.iter().sum::<f32>() as usize)).collect(),
    }
}

/// The positions of the real tokens of one row.
fn expected(golden: &Golden, name: &str, row: usize, places: &[usize]) -> Vec<[u32; 3]> {
    let [_, rows, length] = golden.shape(name)[..] else { panic!("three axes") };
    let values = golden.tokens(name);
    let at = |axis: usize, place: usize| values[axis * rows * length + row * length + place % length];
    places.iter().map(|&place| [0, 1, 2].map(|axis| at(axis, place))).collect()
}

#[test]
fn positions_of_every_golden_equal_the_reference() {
    for name in ["text", "image", "two_images", "video", "audio", "av"] {
        let golden = Golden::open(&format!("omni/{name}"));
        let (rows, places) = rows(&golden, "input_ids", "attention_mask");
        let found = positions(&rows[0].tokens, &media(&golden), &omni()).expect(name);
        assert_eq!(found.axes, expected(&golden, "position_ids", 0, &places[0]), "{name}");
        assert_eq!(found.delta as f32, golden.values("rope_deltas")[0], "{name}");
    }
}

#[test]
fn positions_of_a_padded_batch_equal_the_reference() {
    let golden = Golden::open("omni/batch_left_pad");
    let all = media(&golden);
    let each = [Media { images: all.images, ..Media::default() }, Media { sounds: all.sounds, ..Media::default() }];
    let (rows, places) = rows(&golden, "input_ids", "attention_mask");
    for (row, media) in each.iter().enumerate() {
        let found = positions(&rows[row].tokens, media, &omni()).expect("good");
        assert_eq!(found.axes, expected(&golden, "position_ids", row, &places[row]));
        assert_eq!(found.delta as f32, golden.values("rope_deltas")[row]);
    }
}

#[test]
fn positions_of_a_vision_language_model_equal_the_reference() {
    let golden = Golden::open("vl/golden");
    let images = media(&golden).images;
    let (rows, places) = rows(&golden, "input_ids", "attention_mask");
    for (row, &image) in images.iter().enumerate() {
        let media = Media { images: vec![image], ..Media::default() };
        let found = positions(&rows[row].tokens, &media, &config("vl")).expect("good");
        assert_eq!(found.axes, expected(&golden, "position_ids", row, &places[row]));
        assert_eq!(found.delta as f32, golden.values("rope_deltas")[row]);
    }
}

/// A row of the cases that have no networks: what it is made of, and the tokens and positions the reference has.
struct Case {
    name: String,
    segments: Vec<Value>,
    tokens: Vec<u32>,
    axes: Vec<[u32; 3]>,
    delta: f32,
}

fn cases() -> Vec<Case> {
    let golden = Golden::open("omni/posids");
    let text = std::fs::read_to_string(folder().join("omni/posids.json")).expect("a golden");
    let described: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let mut cases = Vec::new();
    for (index, case) in described.iter().enumerate() {
        let name = |tensor: &str| format!("{index}.{tensor}");
        let (rows, places) = rows(&golden, &name("input_ids"), &name("attention_mask"));
        for (row, segments) in case["segments"].as_array().expect("rows").iter().enumerate() {
            cases.push(Case {
                name: format!("case {index}, row {row}"),
                segments: segments.as_array().expect("segments").clone(),
                tokens: rows[row].tokens.clone(),
                axes: expected(&golden, &name("position_ids"), row, &places[row]),
                delta: golden.values(&name("rope_deltas"))[row],
            });
        }
    }
    cases
}

impl Case {
    /// The segments as pieces; text is cut out of the reference's tokens.
    fn pieces<'a>(&'a self, marks: &'a Marks) -> Vec<Piece<'a>> {
        let (mut pieces, mut at) = (Vec::new(), 0);
        for segment in &self.segments {
            let sizes = || segment[1].as_array().expect("a grid").iter().map(|n| n.as_f64().expect("n") as f32);
            let grid = || grid(&sizes().collect::<Vec<_>>());
            let video = || VideoGrid { grid: grid(), seconds_per_grid: segment[2].as_f64().expect("seconds") };
            let count = |index: usize| segment[index].as_u64().expect("a count") as usize;
            let (piece, [start, end], length) = match segment[0].as_str().expect("a kind") {
                "t" => {
                    pieces.push(Piece::Text(&self.tokens[at..at + count(1)]));
                    at += count(1);
                    continue;
                }
                "img" => (Piece::Image(grid()), &marks.vision, grid().token_count()),
                "vid" => (Piece::Video(video()), &marks.vision, grid().token_count()),
                "aud" => (Piece::Sound { frames: count(1) }, &marks.audio, AudioTower::token_count(count(1))),
                _ => {
                    let piece = Piece::VideoWithSound { video: video(), frames: count(3) };
                    (piece, &marks.vision, grid().token_count() + AudioTower::token_count(count(3)) + 2)
                }
            };
            pieces.extend([Piece::Text(start), piece, Piece::Text(end)]);
            at += length + 2;
        }
        pieces
    }
}

/// The tokens around pictures and around sounds.
struct Marks {
    vision: [[u32; 1]; 2],
    audio: [[u32; 1]; 2],
}

fn marks() -> Marks {
    let tokens = omni().tokens;
    let audio = tokens.audio.expect("it hears");
    Marks { vision: [[tokens.vision_start], [tokens.vision_end]], audio: [[audio.start], [audio.end]] }
}

#[test]
fn placeholders_and_positions_of_all_14_cases_equal_the_reference() {
    let (cases, marks) = (cases(), marks());
    assert_eq!(cases.len(), 18, "14 cases, two of them of three rows");
    for case in cases {
        let row = expand(&case.pieces(&marks), &omni()).expect(&case.name);
        assert_eq!(row.tokens, case.tokens, "{}", case.name);
        let found = positions(&row.tokens, &row.media, &omni()).expect(&case.name);
        assert_eq!(found.axes, case.axes, "{}", case.name);
        assert_eq!(found.delta as f32, case.delta, "{}", case.name);
    }
}

#[test]
fn a_clip_of_which_pairs_of_frames_last_longer_than_a_chunk_is_interleaved_as_the_reference_does() {
    let config = omni();
    let audio = config.tokens.audio.expect("it hears");
    let video = VideoGrid { grid: Grid::new([2, 4, 4]).expect("whole"), seconds_per_grid: 5.0 };
    let marks = marks();
    let [start, end] = &marks.vision;
    let clip = Piece::VideoWithSound { video, frames: 12 };
    let row = expand(&[Piece::Text(start), clip, Piece::Text(end)], &config).expect("good");
    // The second pair stands at 125, two chunks on, so its first two cells open one chunk each; the sound has one.
    let (v, a) = (config.tokens.video, audio.audio);
    assert_eq!(row.tokens[1..14], [audio.start, v, v, v, v, a, a, a, v, v, v, v, audio.end]);
    let found = positions(&row.tokens, &row.media, &config).expect("good");
    assert_eq!(found.axes[..6], [[0; 3], [0; 3], [1, 1, 1], [1, 1, 2], [1, 2, 1], [1, 2, 2]]);
    assert_eq!(found.axes[9..], [[126, 1, 1], [126, 1, 2], [126, 2, 1], [126, 2, 2], [127; 3], [127; 3]]);
}

#[test]
fn the_time_of_a_frame_is_cut_in_single_precision() {
    // 1/25 in f32 times 25 is 1 for most frames; 29.97 frames a second are not whole steps.
    for (seconds, expected) in [(0.04, [0, 1, 2, 3, 4]), (2.0 / 29.97, [0, 1, 3, 5, 6]), (0.4, [0, 10, 20, 30, 40])] {
        let video = VideoGrid { grid: Grid::new([5, 2, 2]).expect("whole"), seconds_per_grid: seconds };
        let row = expand(&[Piece::Video(video)], &omni()).expect("good");
        let found = positions(&row.tokens, &row.media, &omni()).expect("good");
        assert_eq!(found.axes.iter().map(|place| place[0]).collect::<Vec<_>>(), expected, "{seconds}");
    }
}

#[test]
fn text_alone_counts_on() {
    let found = positions(&[7, 8, 9], &Media::default(), &omni()).expect("good");
    assert_eq!((found.axes, found.delta), (vec![[0; 3], [1; 3], [2; 3]], 0));
    assert_eq!(positions(&[], &Media::default(), &omni()).expect("good").axes, Vec::<[u32; 3]>::new());
}

#[test]
fn placeholders_that_do_not_match_the_media_are_refused() {
    let config = omni();
    let (image, video, audio) = (config.tokens.image, config.tokens.video, config.tokens.audio.expect("it hears"));
    let images = |sizes: &[[usize; 3]]| Media {
        images: sizes.iter().map(|&sizes| Grid::new(sizes).expect("whole")).collect(),
        ..Media::default()
    };
    let check = |tokens: &[u32], media: Media, reason: &str| {
        let message = positions(tokens, &media, &config).expect_err(reason).to_string();
        assert!(message.contains(reason), "{message}");
    };
    check(&[1, image], Media::default(), "token 1 stands for a picture");
    check(&[1, video], Media::default(), "token 1 stands for a clip");
    check(&[audio.audio], Media::default(), "token 0 stands for a sound");
    check(&[image, image, 5], images(&[[1, 4, 4]]), "a picture of 4 tokens is cut short at token 2");
    check(&[image], images(&[[1, 4, 4]]), "cut short at token 1");
    check(&[image], images(&[[1, 2, 2], [1, 2, 2]]), "1 more of kind picture");
    let clip = |seconds_per_grid| Media {
        videos: vec![VideoGrid { grid: Grid::new([1, 2, 2]).expect("whole"), seconds_per_grid }],
        sounds: vec![1],
        ..Media::default()
    };
    let start = config.tokens.vision_start;
    check(&[start, audio.start, video, audio.audio, 5], clip(1.0), "not closed at token 4");
    check(&[start, audio.start, video, audio.audio, audio.end], clip(1.0), "not closed at token 4");
    check(&[start, audio.start, video, video], clip(1.0), "a sound of 1 tokens is cut short at token 3");
    check(&[start, audio.start, audio.audio, audio.audio], clip(1.0), "a clip of 1 tokens is cut short at token 3");
    check(&[start, audio.start, video], clip(1.0), "a sound of 1 tokens is cut short at token 3");
    for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e12] {
        let error = positions(&[start, audio.start, video], &clip(seconds), &config).expect_err("refused");
        assert!(matches!(error, PositionError::Rate { .. }), "{error}");
    }
}

#[test]
fn rows_that_cannot_be_made_are_refused() {
    let config = omni();
    let video = VideoGrid { grid: Grid::new([1, 2, 2]).expect("whole"), seconds_per_grid: 1.0 };
    let refused = |piece: Piece<'_>, config: &ThinkerConfig| expand(&[piece], config).expect_err("refused");
    let image = [4, config.tokens.image];
    assert_eq!(refused(Piece::Text(&image), &config), PlaceholderError::InText { token: config.tokens.image });
    for frames in 0..3 {
        assert_eq!(refused(Piece::Sound { frames }, &config), PlaceholderError::TooShort { frames });
        assert_eq!(refused(Piece::VideoWithSound { video, frames }, &config), PlaceholderError::TooShort { frames });
    }
    assert_eq!(refused(Piece::Sound { frames: 100 }, &self::config("vl")), PlaceholderError::Deaf);
    let still = VideoGrid { seconds_per_grid: 0.0, ..video };
    assert_eq!(refused(Piece::Video(still), &config), PlaceholderError::Rate { seconds: 0.0 });
    assert!(Grid::new([1, 3, 2]).is_err() && Grid::new([0, 2, 2]).is_err() && Grid::new([1, 2, 5]).is_err());
}
