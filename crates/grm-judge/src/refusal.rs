//! Telling a refusal from an answer, by its first sentence.
//!
//! Conservative: the text must open with a refusal (after an apology at most) and say in the same breath what is
//! refused. Callers ask only when nothing of the contract was found, or when a refusal would pass for content.

/// Characters of a reply's opening that are looked at.
const OPENING: usize = 320;

const APOLOGIES: &[&str] = &[
    "i'm really sorry",
    "i'm very sorry",
    "i'm so sorry",
    "i'm sorry",
    "i am sorry",
    "sorry",
    "my apologies",
    "i apologize",
    "i apologise",
    "apologies",
    "unfortunately",
    "thank you for your question",
    "i understand",
    "as an ai language model",
    "as a large language model",
    "as a language model",
    "as an ai assistant",
    "as a responsible ai",
    "as an ai",
    "for any confusion",
    "for the inconvenience",
    "about that",
    "but",
    "however",
];

const REFUSALS: &[&str] = &[
    "i can't",
    "i cannot",
    "i can not",
    "i am unable",
    "i'm unable",
    "i am not able",
    "i'm not able",
    "i won't",
    "i will not",
    "i must decline",
    "i must refuse",
    "i have to decline",
    "i need to decline",
    "i'm going to decline",
    "i'm going to have to decline",
    "i decline",
    "i refuse",
    "i would rather not",
    "i'd rather not",
    "i'm not comfortable",
    "i am not comfortable",
    "i don't feel comfortable",
    "i do not feel comfortable",
    "i don't think i can",
    "i am not allowed",
    "i'm not allowed",
    "we cannot",
    "we can't",
    "it would not be appropriate",
    "it would be inappropriate",
    "it is not appropriate",
    "it's not appropriate",
];

/// What is refused: stems, so that "assist" covers "assisting".
const REFUSED: &[&str] = &[
    "answer",
    "analy",
    "appropriate",
    "assess",
    "assist",
    "choos",
    "compar",
    "complet",
    "compl",
    "continu",
    "creat",
    "critique",
    "declin",
    "determin",
    "discuss",
    "engag",
    "evaluat",
    "fulfil",
    "generat",
    "help",
    "judg",
    "offer",
    "participat",
    "process",
    "produc",
    "provid",
    "rank",
    "rate",
    "refus",
    "respond",
    "revis",
    "rewrit",
    "score",
    "share",
    "support",
    "do that",
    "do this",
    "with that",
    "with this",
    "write",
];

/// Openings that are refusals by themselves, in other languages.
const ELSEWHERE: &[&str] = &[
    "抱歉，我无法",
    "抱歉，我不能",
    "很抱歉，我无法",
    "很抱歉，我不能",
    "对不起，我无法",
    "对不起，我不能",
    "我无法",
    "我不能提供",
    "作为一个人工智能",
    "申し訳ありませんが",
    "申し訳ございませんが",
    "죄송하지만",
    "죄송합니다",
    "lo siento, pero no puedo",
    "lo siento, no puedo",
    "lamento, pero no puedo",
    "je suis désolé, mais je ne peux pas",
    "je suis désolée, mais je ne peux pas",
    "désolé, je ne peux pas",
    "es tut mir leid, aber ich kann",
    "es tut mir leid, ich kann",
    "tut mir leid, aber ich kann",
    "desculpe, mas não posso",
    "sinto muito, mas não posso",
    "mi dispiace, ma non posso",
    "извините, но я не могу",
    "к сожалению, я не могу",
];

/// True when the text opens by declining what was asked.
pub(crate) fn is_refusal(text: &str) -> bool {
    let opening = opening(text);
    if ELSEWHERE.iter().any(|refusal| opening.starts_with(refusal)) {
        return true;
    }
    let rest = without_apologies(&opening);
    let Some(refusal) = REFUSALS.iter().find(|refusal| rest.starts_with(*refusal)) else { return false };
    // From the refusal on, so that "I must decline." counts as naming what it does.
    let sentence = rest.split_inclusive(['.', '!', '?', '\n']).next().unwrap_or(rest);
    let after = &sentence[refusal.len()..];
    !after.trim_start().starts_with("help but") && REFUSED.iter().any(|stem| sentence.contains(stem))
}

/// The first characters in lower case, with plain apostrophes and without markup before them.
fn opening(text: &str) -> String {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let plain = |c: char| if matches!(c, '’' | 'ʼ' | '`') { '\'' } else { c };
    text.chars().take(OPENING).map(plain).flat_map(char::to_lowercase).collect()
}

fn without_apologies(opening: &str) -> &str {
    let mut rest = opening;
    while let Some(apology) = APOLOGIES.iter().find(|apology| rest.starts_with(*apology)) {
        rest = rest[apology.len()..].trim_start_matches(|c: char| !c.is_alphanumeric());
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::is_refusal;

    #[test]
    fn refusals_in_several_wordings() {
        for text in [
            "I'm sorry, but I can't assist with that request.",
            "I cannot provide an evaluation of these responses.",
            "As an AI language model, I am unable to judge this content.",
            "**Sorry**, I won't help with this.",
            "I must decline.",
            "Lo siento, pero no puedo ayudar con eso.",
            "抱歉，我无法回答这个问题。",
            "I’m not comfortable comparing these.",
        ] {
            assert!(is_refusal(text), "{text}");
        }
    }

    #[test]
    fn answers_that_sound_like_refusals() {
        for text in [
            "I'm sorry to hear about your dog.",
            "I can't help but notice that Response A is shorter.",
            "Response A says \"I can't assist with that\".",
            "Sorry is a card game for two to four players.",
            "I cannot stress enough how much it matters to warm up.",
            "",
        ] {
            assert!(!is_refusal(text), "{text}");
        }
    }
}
