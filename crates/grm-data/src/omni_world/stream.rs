//! Questions about scenes, one after the other, balanced at every length.

use super::draws::{Deck, Draws};
use super::question::{Aspect, Claim, Medium, told};
use super::scene::Scene;

/// Which records are drawn; each kind has chance of its own, so that more of one changes no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Describe,
    TextPairs,
    Pairs(Medium),
}

/// One record's worth: a scene, a question, a true and a false answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draft {
    pub(super) scene: Scene,
    pub(super) medium: Medium,
    /// Nothing where the whole scene is to be described.
    pub(super) aspect: Option<Aspect>,
    /// Whether the scene is told in the prompt instead of shown.
    pub(super) is_told: bool,
    pub(super) question: String,
    pub(super) chosen: String,
    pub(super) rejected: String,
}

/// An endless stream of drafts. Its first `n` are the same however many are taken.
pub(super) struct Stream {
    held_out: bool,
    draws: Draws,
    /// The medium, and whether it is told instead of shown.
    media: Deck<(Medium, bool)>,
    subjects: Vec<(Medium, Deck<Option<Aspect>>)>,
    claims: Vec<((Medium, Aspect), Claims)>,
}

impl Stream {
    pub(super) fn new(seed: u64, held_out: bool, kind: Kind) -> Self {
        let label = format!("{} {held_out}", kind.prefix());
        let claims_of = |medium: Medium| {
            let claims = move |&aspect: &Aspect| ((medium, aspect), Claims::new(medium, aspect));
            medium.aspects().iter().map(claims)
        };
        Self {
            held_out,
            draws: Draws::new(seed, &label),
            media: Deck::new(kind.media()),
            subjects: Medium::ALL.map(|medium| (medium, Deck::new(kind.aspects(medium)))).into(),
            claims: Medium::ALL.into_iter().flat_map(claims_of).collect(),
        }
    }

    fn draft(&mut self) -> Draft {
        let (medium, is_told) = self.media.deal(&mut self.draws);
        let aspects = self.subjects.iter_mut().find(|(other, _)| *other == medium);
        let aspect = aspects.expect("a deck for each medium").1.deal(&mut self.draws);
        let claim = self.claim(medium, aspect);
        let scene = Scene::draw(medium, &claim, self.held_out, &mut self.draws);
        let [question, chosen, rejected] = match aspect {
            Some(_) => self.asked(&claim),
            None => [format!("Describe the {}.", medium.word()), scene.sentence(), String::new()],
        };
        Draft { scene, medium, aspect, is_told, question, chosen, rejected }
    }

    /// The next claim about this aspect, or about any: a scene to be described is built around one as well.
    fn claim(&mut self, medium: Medium, aspect: Option<Aspect>) -> Claim {
        let Some(aspect) = aspect else {
            let aspect = self.draws.pick(medium.aspects());
            return Claims::new(medium, aspect).next(&mut self.draws);
        };
        let claims = self.claims.iter_mut().find(|(of, _)| *of == (medium, aspect));
        claims.expect("claims for each aspect of each medium").1.next(&mut self.draws)
    }

    fn asked(&mut self, claim: &Claim) -> [String; 3] {
        let Claim { aspect, truth, rival } = *claim;
        let [one, other] = aspect.questions();
        [if self.draws.coin() { one } else { other }, told((aspect, truth)), told((aspect, rival))]
    }
}

impl Iterator for Stream {
    type Item = Draft;

    fn next(&mut self) -> Option<Draft> {
        Some(self.draft())
    }
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::Describe,
        Self::TextPairs,
        Self::Pairs(Medium::Picture),
        Self::Pairs(Medium::Sound),
        Self::Pairs(Medium::Clip),
    ];

    fn media(self) -> Vec<(Medium, bool)> {
        let all = |is_told: bool| Medium::ALL.map(|medium| (medium, is_told));
        match self {
            // Each medium shown as often as all three together are told.
            Self::Describe => [all(false), all(false), all(false), all(true)].concat(),
            Self::TextPairs => all(true).into(),
            Self::Pairs(medium) => vec![(medium, false)],
        }
    }

    fn aspects(self, medium: Medium) -> Vec<Option<Aspect>> {
        if self == Self::Describe {
            return vec![None];
        }
        medium.aspects().iter().copied().map(Some).collect()
    }
}

/// Claims about one aspect: pairs of values from a deck, each at once followed by its reverse. So no value, and no length,
/// is more often true than false, at any length of the stream, but for one claim.
struct Claims {
    deck: Deck<Claim>,
    reverse: Option<Claim>,
}

impl Claims {
    fn new(medium: Medium, aspect: Aspect) -> Self {
        let values = medium.values(aspect);
        let pairs = values
            .iter()
            .enumerate()
            .flat_map(|(place, &truth)| values[place + 1..].iter().map(move |&rival| Claim { aspect, truth, rival }));
        Self { deck: Deck::new(pairs.collect()), reverse: None }
    }

    fn next(&mut self, draws: &mut Draws) -> Claim {
        if let Some(claim) = self.reverse.take() {
            return claim;
        }
        let claim = self.deck.deal(draws);
        let reversed = Claim { truth: claim.rival, rival: claim.truth, ..claim };
        let [now, later] = if draws.coin() { [claim, reversed] } else { [reversed, claim] };
        self.reverse = Some(later);
        now
    }
}
