//! What a world promises: truth, balance, separation, sameness.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use image::AnimationDecoder as _;

use super::canvas::{Rgb, rgb};
use super::clip::FRAMES;
use super::draws::Draws;
use super::question::{Claim, Medium};
use super::scene::Scene;
use super::stream::{Draft, Kind, Stream};
use super::words::{COLORS, HEADINGS, NUMBERS, PLACES};
use super::*;

const PAIRS: [Kind; 4] =
    [Kind::TextPairs, Kind::Pairs(Medium::Picture), Kind::Pairs(Medium::Sound), Kind::Pairs(Medium::Clip)];

fn drafts(kind: Kind, held_out: bool, count: usize) -> Vec<Draft> {
    Stream::new(7, held_out, kind).take(count).collect()
}

/// Everything that can be claimed in a medium.
fn claims(medium: Medium) -> Vec<Claim> {
    let of = |&aspect| {
        let values = medium.values(aspect);
        let pair = move |&truth| values.iter().map(move |&rival| Claim { aspect, truth, rival });
        values.iter().flat_map(pair).filter(|claim| claim.truth != claim.rival)
    };
    medium.aspects().iter().flat_map(of).collect()
}

#[test]
fn every_claim_has_true_scenes_on_both_sides() {
    for medium in Medium::ALL {
        for claim in claims(medium) {
            for held_out in [false, true] {
                let mut draws = Draws::new(1, "claims");
                let fits = (0..2000).any(|_| Scene::any(medium, &claim, &mut draws).is_held_out() == held_out);
                assert!(fits, "{medium:?} {claim:?} held out: {held_out}");
                let scene = Scene::draw(medium, &claim, held_out, &mut draws);
                assert_eq!(scene.value(claim.aspect), Some(claim.truth), "{claim:?}");
            }
        }
    }
}

#[test]
fn scenes_of_training_and_tests_are_disjoint() {
    let facts = |held_out| {
        let of = |kind| drafts(kind, held_out, 600).into_iter().map(|draft| draft.scene.facts());
        Kind::ALL.into_iter().flat_map(of).collect::<BTreeSet<_>>()
    };
    let [train, test] = [facts(false), facts(true)];
    println!("{} scenes for training, {} for tests", train.len(), test.len());
    assert!(train.len() > 500 && test.len() > 100, "{} {}", train.len(), test.len());
    assert!(train.is_disjoint(&test));
}

#[test]
fn the_chosen_answer_is_true_and_the_rejected_differs_in_that_fact() {
    for kind in PAIRS {
        for draft in drafts(kind, false, 400) {
            let aspect = draft.aspect.expect("pairs ask for something");
            let truth = draft.scene.value(aspect).expect("the question makes sense");
            let at = draft.chosen.rfind(truth).expect("the truth is told");
            let [before, after] = [&draft.chosen[..at], &draft.chosen[at + truth.len()..]];
            let others = draft.medium.values(aspect).iter().filter(|&&value| value != truth);
            let false_answers: Vec<String> = others.map(|value| format!("{before}{value}{after}")).collect();
            assert!(false_answers.contains(&draft.rejected), "{draft:?}");
        }
    }
}

#[test]
fn no_word_and_no_length_tells_the_better_answer() {
    for kind in PAIRS {
        let drafts = drafts(kind, false, 2000);
        let longer = |draft: &Draft| match draft.chosen.len().cmp(&draft.rejected.len()) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        };
        let accuracy = drafts.iter().map(longer).sum::<f64>() / drafts.len() as f64;
        assert!((0.45..=0.55).contains(&accuracy), "{kind:?}: {accuracy}");

        let mut lead = BTreeMap::new();
        for draft in &drafts {
            let place = |value| (draft.medium.word(), draft.aspect.expect("asked").name(), value);
            for value in draft.medium.values(draft.aspect.expect("asked")) {
                let told = |answer: &str| i32::from(answer.ends_with(&format!(" {value}")));
                *lead.entry(place(*value)).or_insert(0) += told(&draft.chosen) - told(&draft.rejected);
            }
        }
        assert!(lead.len() > 10 && lead.values().all(|lead| lead.abs() <= 1), "{kind:?}: {lead:?}");
    }
}

#[test]
fn a_rule_that_neither_sees_nor_hears_is_right_half_the_time() {
    for kind in PAIRS {
        let mut wins: BTreeMap<(String, String), i32> = BTreeMap::new();
        for draft in drafts(kind, false, 4000) {
            *wins.entry((draft.question.clone(), draft.chosen)).or_default() += 1;
            *wins.entry((draft.question, draft.rejected)).or_default() -= 1;
        }
        let votes = |question: &str, answer: &str| {
            wins.get(&(question.to_owned(), answer.to_owned())).copied().unwrap_or_default()
        };
        let tests = drafts(kind, true, 2000);
        let right = tests.iter().map(|draft| {
            let [chosen, rejected] = [&draft.chosen, &draft.rejected].map(|answer| votes(&draft.question, answer));
            f64::from(i32::from(chosen > rejected)) + 0.5 * f64::from(i32::from(chosen == rejected))
        });
        let accuracy = right.sum::<f64>() / tests.len() as f64;
        println!("{kind:?}: majority by question and answer is right in {accuracy:.3}");
        assert!((0.45..=0.55).contains(&accuracy), "{kind:?}: {accuracy}");
    }
}

#[test]
fn the_vocabulary_is_what_is_said() {
    let mut words = BTreeSet::new();
    for kind in Kind::ALL {
        for draft in drafts(kind, false, 3000) {
            let text = [draft.scene.sentence(), draft.question, draft.chosen, draft.rejected].join(" ").to_lowercase();
            words.extend(text.split_whitespace().map(|word| word.trim_matches(['.', ',', '?']).to_owned()));
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    assert_eq!(words, VOCABULARY);
}

/// The middle of the pixels of a colour, in shares of the picture's width and height, and how many they are.
fn middle(pixels: &[Rgb], side: usize, color: Rgb) -> Option<([f64; 2], usize)> {
    let places: Vec<usize> = (0..pixels.len()).filter(|&place| pixels[place] == color).collect();
    let mean = |of: fn(usize, usize) -> usize| {
        let sum: usize = places.iter().map(|&place| of(place, side)).sum();
        (sum as f64 / places.len() as f64 + 0.5) / side as f64
    };
    let at = [mean(|place, side| place % side), mean(|place, side| place / side)];
    (!places.is_empty()).then_some((at, places.len()))
}

/// Groups of touching pixels of a colour.
fn islands(pixels: &[Rgb], side: usize, color: Rgb) -> usize {
    let mut left: BTreeSet<usize> = (0..pixels.len()).filter(|&place| pixels[place] == color).collect();
    let mut count = 0;
    while let Some(first) = left.pop_first() {
        count += 1;
        let mut reached = vec![first];
        while let Some(place) = reached.pop() {
            let steps = [place + 1, place.wrapping_sub(1), place + side, place.wrapping_sub(side)];
            reached.extend(steps.into_iter().filter(|step| left.remove(step)));
        }
    }
    count
}

#[test]
fn pictures_show_what_is_true_of_them() {
    for draft in drafts(Kind::Pairs(Medium::Picture), false, 200) {
        let picture = image::load_from_memory(&draft.scene.file().unwrap()).unwrap().to_rgb8();
        let side = picture.width() as usize;
        assert!([56, 84, 112].contains(&side) && picture.height() as usize == side);
        let pixels: Vec<Rgb> = picture.pixels().map(|pixel| pixel.0).collect();
        let facts = draft.scene.facts();
        let color = COLORS.iter().find(|color| facts["color"] == **color).unwrap();
        let ([x, y], _) = middle(&pixels, side, rgb(color)).expect("the color is there");
        let place = PLACES.iter().position(|place| facts["place"] == *place).unwrap();
        assert!([x < 0.5, x > 0.5, y < 0.5, y > 0.5][place], "{facts:?}: {color} at {x} {y}");
        let count = NUMBERS.iter().position(|count| facts["count"] == *count).unwrap() + 1;
        assert_eq!(islands(&pixels, side, rgb(color)), count, "{facts:?}");
    }
}

#[test]
fn clips_show_what_is_true_of_them() {
    for draft in drafts(Kind::Pairs(Medium::Clip), false, 200) {
        let bytes = draft.scene.file().unwrap();
        let decoder = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(bytes)).unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), FRAMES);
        assert!(frames.iter().all(|frame| frame.delay().numer_denom_ms() == (250, 1)));
        let facts = draft.scene.facts();
        let seen = |frame: usize, color: &str| {
            let picture = frames[frame].buffer();
            let pixels: Vec<Rgb> = picture.pixels().map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2]]).collect();
            let color = COLORS.iter().find(|other| **other == color).expect("a color");
            middle(&pixels, picture.width() as usize, rgb(color))
        };
        let ([x, y], size) = seen(0, &facts["color"]).expect("the shape is there at the start");
        let last = seen(FRAMES - 1, facts.get("later").unwrap_or(&facts["color"]));
        let ([last_x, last_y], last_size) = last.expect("and at the end");
        let [step_x, step_y] = [last_x - x, last_y - y];
        let went = step_x.abs().max(step_y.abs());
        match facts["change"].as_str() {
            "moves" => {
                let way = HEADINGS.iter().position(|heading| facts["direction"] == *heading).unwrap();
                let far = [-step_x, step_x, -step_y, step_y][way];
                let expected = if facts["speed"] == "fast" { 0.5 } else { 0.2 };
                assert!((far - expected).abs() < 0.05, "{facts:?}: {far}");
            }
            "grows" => assert!(last_size > 4 * size && went < 0.05, "{facts:?}"),
            "shrinks" => assert!(size > 4 * last_size && went < 0.05, "{facts:?}"),
            _ => assert!(seen(FRAMES - 1, &facts["color"]).is_none() && size == last_size, "{facts:?}"),
        }
    }
}

/// The samples of a WAV file of ours.
fn samples(wav: &[u8]) -> Vec<f64> {
    assert_eq!((&wav[..4], &wav[8..16], &wav[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
    assert_eq!(wav.len(), 44 + u32::from_le_bytes(wav[40..44].try_into().unwrap()) as usize);
    wav[44..].as_chunks().0.iter().map(|&bytes| f64::from(i16::from_le_bytes(bytes))).collect()
}

/// Where it sounds: spans with no silence of 20 ms inside.
fn beeps(samples: &[f64]) -> Vec<&[f64]> {
    let loud: Vec<usize> = (0..samples.len()).filter(|&place| samples[place].abs() > 100.0).collect();
    let spans = loud.chunk_by(|before, after| after - before < 320);
    spans.map(|span| &samples[span[0]..=span[span.len() - 1]]).collect()
}

/// Zero crossings a second, by two.
fn hertz(samples: &[f64]) -> f64 {
    let crossings = samples.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
    crossings as f64 / 2.0 / (samples.len() as f64 / 16_000.0)
}

#[test]
fn sounds_have_what_is_true_of_them() {
    for draft in drafts(Kind::Pairs(Medium::Sound), false, 100) {
        let samples = samples(&draft.scene.file().unwrap());
        assert!((25_600..=32_000).contains(&samples.len()));
        let facts = draft.scene.facts();
        let beeps = beeps(&samples);
        let count = NUMBERS.iter().position(|count| facts["count"] == *count).unwrap() + 1;
        assert_eq!(beeps.len(), count, "{facts:?}");
        let [first, last] = [hertz(beeps[0]), hertz(beeps[count - 1])];
        let middle = (first + last) / 2.0;
        let range = if facts["pitch"] == "low" { 170.0..340.0 } else { 800.0..1500.0 };
        assert!(range.contains(&middle), "{facts:?}: {middle}");
        let slope = match last / first {
            ratio if ratio > 1.12 => "rising",
            ratio if ratio < 0.88 => "falling",
            _ => "steady",
        };
        assert_eq!(facts["direction"], slope, "{first} to {last}: {facts:?}");
        let seconds = beeps[0].len() as f64 / 16_000.0;
        assert_eq!(facts["speed"], if seconds > 0.12 { "slow" } else { "fast" }, "{seconds}");
    }
}

const SIZES: Sizes = Sizes { describe: 24, text_pairs: 9, image_pairs: 5, audio_pairs: 4, video_pairs: 3 };

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = |folder: &Path| -> Vec<_> { folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect() };
    let all = files(folder).into_iter().chain(files(&folder.join("media")));
    let name = |path: &Path| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    all.filter(|path| path.is_file()).map(|path| (name(&path), std::fs::read(&path).unwrap())).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, world: OmniWorld, sizes: &Sizes| {
        let place = folder.path().join("worlds").join(name);
        world.write(&place, sizes).unwrap();
        contents(&place)
    };
    let first = write("first", OmniWorld::new(3), &SIZES);
    assert_eq!(first.len(), 7 + 18 + 5 + 4 + 3);
    assert!(first == write("second", OmniWorld::new(3), &SIZES));
    assert!(first["image_pairs.jsonl"] != write("other", OmniWorld::new(4), &SIZES)["image_pairs.jsonl"]);
    assert!(first["image_pairs.jsonl"] != write("test", OmniWorld::new(3).held_out(), &SIZES)["image_pairs.jsonl"]);

    let larger = write("larger", OmniWorld::new(3), &Sizes { image_pairs: 9, text_pairs: 30, ..SIZES });
    for name in ["describe", "text_pairs", "image_pairs", "audio_pairs", "video_pairs"] {
        let name = format!("{name}.jsonl");
        assert!(larger[&name].starts_with(&first[&name]), "{name}: larger sizes only add records");
    }
}

#[test]
fn a_world_on_disk_is_what_its_manifest_says() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("world");
    let manifest = OmniWorld::new(5).held_out().write(&place, &SIZES).unwrap();
    let files = contents(&place);
    assert_eq!(serde_json::from_slice::<Manifest>(&files["manifest.json"]).unwrap(), manifest);
    let counts: Vec<u64> = manifest.files.iter().map(|file| file.records).collect();
    assert_eq!((counts, manifest.held_out), (vec![24, 9, 5, 4, 3, 45], true));

    let lines = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    let mut media: BTreeSet<&String> = files.keys().filter(|name| name.starts_with("media/")).collect();
    for name in ["text_pairs", "image_pairs", "audio_pairs", "video_pairs"] {
        for line in lines(&format!("{name}.jsonl")).lines() {
            let pair: PairRecord = serde_json::from_str(line).unwrap();
            assert_eq!(pair.media.len(), usize::from(name != "text_pairs"), "{line}");
            assert!(pair.media.iter().all(|name| media.remove(name)), "{line}");
        }
    }
    for line in lines("describe.jsonl").lines() {
        let record: DescribeRecord = serde_json::from_str(line).unwrap();
        assert!(record.media.iter().all(|name| media.remove(name)), "{line}");
    }
    assert!(media.is_empty(), "every medium is used once");
    let names: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["world"], "nothing else is left");
}

#[test]
fn pairs_are_read_as_preferences() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("world");
    OmniWorld::new(5).write(&place, &SIZES).unwrap();
    let options = crate::ReadOptions::default();
    let pairs: Vec<_> =
        crate::open(&place.join("text_pairs.jsonl"), &options).unwrap().map(|record| record.unwrap()).collect();
    assert_eq!(pairs.len(), 9);
    assert!(pairs.iter().all(|pair| pair.label().is_some()));

    let first = std::fs::read_to_string(place.join("image_pairs.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    let names: Vec<_> = first.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(BTreeSet::from_iter(names), BTreeSet::from(["id", "task", "prompt", "media", "chosen", "rejected"]));
    assert_eq!(first["task"], "image_understanding");
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("world");
    std::fs::write(&place, "mine").unwrap();
    let error = OmniWorld::new(1).write(&place, &SIZES).unwrap_err();
    assert!(matches!(&error, WorldError::Exists(path) if *path == place), "{error}");
    assert_eq!(std::fs::read_to_string(&place).unwrap(), "mine");
    assert!(matches!(OmniWorld::new(1).write(Path::new("/"), &SIZES), Err(WorldError::Exists(_))));
}

#[test]
fn recall_lessons_have_the_one_right_answer() {
    let lessons: Vec<RecallLesson> = recall_lessons(7).take(3000).collect();
    assert_eq!(lessons, recall_lessons(7).take(3000).collect::<Vec<_>>());
    assert_ne!(lessons, recall_lessons(8).take(3000).collect::<Vec<_>>());
    let mut letters = BTreeMap::new();
    for RecallLesson { prompt, response } in &lessons {
        if let Some(words) = prompt.strip_prefix("Repeat ") {
            assert_eq!(words, response);
            continue;
        }
        let (_, told) = prompt.split_once("It has ").unwrap();
        let (facts, asked) = told.split_once(". Which ").unwrap();
        let facts: Vec<&str> = facts.split(", ").collect();
        if let Some(fact) = response.strip_prefix("So ") {
            let fact = fact.lines().next().unwrap();
            let (fact, letter) = fact.rsplit_once(' ').unwrap();
            assert!(facts.contains(&fact) && asked.contains(&format!("Response: {fact} {letter}")), "{prompt}");
            *letters.entry(letter).or_insert(0) += 1;
        } else {
            let names = asked.trim_end_matches('?').split(" and ").collect::<Vec<_>>();
            let answers = response.trim_end_matches('.').split(", ").collect::<Vec<_>>();
            assert_eq!(names.len(), answers.len());
            for (name, answer) in names.iter().zip(answers) {
                assert!(facts.contains(&answer) && answer.starts_with(&format!("{name} ")), "{prompt}");
            }
        }
    }
    assert!(letters["A"] > 400 && letters["B"] > 400, "{letters:?}");
}
