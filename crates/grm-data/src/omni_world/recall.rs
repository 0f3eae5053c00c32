//! Lessons in finding again: random words of the world to be repeated, looked up or decided by.
//!
//! A newborn that only describes scenes learns which place of a sentence holds which fact, and cannot find a fact that
//! stands elsewhere. Here any word stands anywhere, so that nothing but looking it up helps.

use super::VOCABULARY;
use super::draws::Draws;

/// A request and its only right answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecallLesson {
    /// The words, then what to do with them.
    pub prompt: String,
    /// What follows from them.
    pub response: String,
}

/// An endless stream of lessons. Its first `n` are the same however many are taken.
pub fn recall_lessons(seed: u64) -> impl Iterator<Item = RecallLesson> {
    let mut draws = Draws::new(seed, "recall");
    std::iter::repeat_with(move || match draws.below(3) {
        0 => repeat(&mut draws),
        1 => look_up(&mut draws),
        _ => decide(&mut draws),
    })
}

fn repeat(draws: &mut Draws) -> RecallLesson {
    let count = 3 + draws.below(17);
    let words = words(draws, count);
    RecallLesson { prompt: format!("Repeat {words}."), response: format!("{words}.") }
}

fn look_up(draws: &mut Draws) -> RecallLesson {
    let facts = Facts::draw(draws);
    let mut asked: Vec<usize> = (0..facts.0.len()).collect();
    draws.shuffle(&mut asked);
    asked.truncate(3);
    let names: Vec<&str> = asked.iter().map(|&place| facts.0[place].0).collect();
    let told: Vec<String> = asked.iter().map(|&place| facts.told(place)).collect();
    RecallLesson {
        prompt: format!("{} Which {}?", facts.sentence(draws), names.join(" and ")),
        response: format!("{}.", told.join(", ")),
    }
}

/// In the form of the world's judgments: which of two responses is among the facts.
fn decide(draws: &mut Draws) -> RecallLesson {
    let facts = Facts::draw(draws);
    let place = draws.below(facts.0.len());
    let (name, value) = facts.0[place];
    let rival = draws.pick_other(&VOCABULARY, value);
    let (responses, letter) = if draws.coin() { ([value, rival], 'A') } else { ([rival, value], 'B') };
    let [first, second] = responses;
    let sentence = facts.sentence(draws);
    RecallLesson {
        prompt: format!("{sentence} Which {name}?\nResponse: {name} {first} A\nResponse: {name} {second} B"),
        response: format!("So {name} {value} {letter}\n[[{letter}]]"),
    }
}

/// Two to six names, all different, each with a value.
struct Facts(Vec<(&'static str, &'static str)>);

impl Facts {
    fn draw(draws: &mut Draws) -> Self {
        let mut names = VOCABULARY;
        draws.shuffle(&mut names);
        let count = 2 + draws.below(5);
        Self(names[..count].iter().map(|&name| (name, draws.pick(&VOCABULARY))).collect())
    }

    fn told(&self, place: usize) -> String {
        let (name, value) = self.0[place];
        format!("{name} {value}")
    }

    /// All of them, after up to seven words that mean nothing, so that no fact has a place of its own.
    fn sentence(&self, draws: &mut Draws) -> String {
        let count = draws.below(8);
        let told: Vec<String> = (0..self.0.len()).map(|place| self.told(place)).collect();
        format!("{} It has {}.", words(draws, count), told.join(", ")).trim_start().to_owned()
    }
}

fn words(draws: &mut Draws, count: usize) -> String {
    let words: Vec<&str> = (0..count).map(|_| draws.pick(&VOCABULARY)).collect();
    words.join(" ")
}
