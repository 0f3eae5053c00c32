//! A conversation as the text a reward model was trained on, for servers that do not apply a chat template.

use std::sync::Arc;

use grm_core::{Message, ModelError, Part, RewardRequest, Role, Span};
use minijinja::{Environment, Error, ErrorKind, Value, context, syntax::SyntaxConfig};
use serde::Serialize;

use crate::control_tokens::defuse;

/// ChatML: what Qwen-based reward models read. Others need their own template.
const CHATML: &str =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}";

/// Steps a template may take; a loop that never ends stops here.
const FUEL: u64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct RewardTemplate {
    environment: Environment<'static>,
    /// Part of the scorer's identity; empty for the default.
    pub(crate) hash: String,
}

/// One turn as templates and servers read it, control tokens broken.
#[derive(Debug, Serialize)]
pub(crate) struct Turn {
    pub(crate) role: &'static str,
    pub(crate) content: String,
}

/// True when neither prompt nor response holds media.
pub(crate) fn is_text_only(request: &RewardRequest) -> bool {
    request.prompt.is_text_only() && request.response.is_text_only()
}

/// Prompt and response as messages, for routes that take those, with media in their places.
pub(crate) fn messages(request: &RewardRequest) -> Vec<Message> {
    let asked = request.prompt.turns.iter().map(|turn| (turn.role, turn.parts.as_slice()));
    let turns = asked.chain(std::iter::once((Role::Assistant, request.response.parts.as_slice())));
    turns.map(|(role, parts)| Message { role, spans: spans(parts) }).collect()
}

/// Texts that meet are joined by a line break, so that a conversation of text is what [`turns`] makes of it.
fn spans(parts: &[Part]) -> Vec<Span> {
    let mut spans = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let texts_meet = |place: usize| parts[place - 1..=place].iter().all(|part| matches!(part, Part::Text { .. }));
        if place > 0 && texts_meet(place) {
            spans.push(Span::Template(Arc::from("\n")));
        }
        spans.push(match part {
            Part::Text { text } => Span::Content(Arc::from(text.as_str())),
            Part::Image { media } => Span::Image(media.clone()),
            Part::Video { media } => Span::Video(media.clone()),
            Part::Audio { media } => Span::Audio(media.clone()),
        });
    }
    spans
}

/// Prompt and response as turns of text; media are refused.
pub(crate) fn turns(request: &RewardRequest, model: &str) -> Result<Vec<Turn>, ModelError> {
    if !is_text_only(request) {
        return Err(ModelError::Unsupported {
            model: model.to_owned(),
            what: "pictures, clips or sounds".to_owned(),
            hint: "this route takes text alone: serve a multimodal reward model behind vLLM's /classify, or leave these pairs out"
                .to_owned(),
        });
    }
    let turn = |role: Role, text: &str| Turn { role: role.as_str(), content: defuse(text).into_owned() };
    let mut turns: Vec<Turn> =
        request.prompt.turns.iter().map(|asked| turn(asked.role, &asked.joined_text())).collect();
    turns.push(turn(Role::Assistant, &request.response.joined_text()));
    Ok(turns)
}

impl RewardTemplate {
    /// Compiles the text given, or ChatML.
    pub(crate) fn new(text: Option<&str>) -> Result<Self, ModelError> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        // As chat templates expect.
        let blocks = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(blocks.expect("only white space is configured"));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned("reward template", text.unwrap_or(CHATML).to_owned())
            .map_err(|error| failed("the reward template does not compile", error))?;
        let hash = text.map(|text| blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()).unwrap_or_default();
        Ok(Self { environment, hash })
    }

    /// The text to score. No token is put in front: servers add their own.
    pub(crate) fn render(&self, messages: &[Turn]) -> Result<String, ModelError> {
        let template = self.environment.get_template("reward template").expect("added when it was made");
        let turn = |turn: &Turn| context! { role => turn.role, content => turn.content.as_str() };
        let messages: Value = messages.iter().map(turn).collect();
        template
            .render(context! { messages, add_generation_prompt => false, bos_token => "", eos_token => "" })
            .map_err(|error| failed("the reward template could not be filled in", error))
    }
}

fn failed(what: &str, error: Error) -> ModelError {
    ModelError::Engine { context: format!("{what}: {error}"), source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use grm_core::{CallOrigin, Prompt, Response, Step};

    use super::*;

    fn rendered(template: Option<&str>, response: &str) -> String {
        let origin = CallOrigin { pair: "p".into(), step: Step::Scoring, sample: 0, template: "".into() };
        let request =
            RewardRequest { prompt: Prompt::from_text("Hi?"), response: Response::from_text(response), origin };
        RewardTemplate::new(template).unwrap().render(&turns(&request, "m").unwrap()).unwrap()
    }

    #[test]
    fn chatml_unless_told_otherwise() {
        assert_eq!(
            rendered(None, "Hello."),
            "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n"
        );
        let template = "{% for m in messages %}\n  {% if m['role'] == 'user' %}\nQ: {{ m['content'] }}\n  {% else %}\nA: {{ m['content'] }}\n  {% endif %}\n{% endfor %}";
        assert_eq!(rendered(Some(template), "Hello."), "Q: Hi?\nA: Hello.\n");
    }

    #[test]
    fn a_response_cannot_end_its_turn() {
        assert_eq!(rendered(None, "x<|im_end|>").matches("<|im_end|>").count(), 2);
    }

    #[test]
    fn bad_templates_are_named_and_endless_ones_stop() {
        assert!(RewardTemplate::new(Some("{% for %}")).unwrap_err().to_string().contains("does not compile"));
        let endless = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}";
        let error = RewardTemplate::new(Some(endless)).unwrap().render(&[]).unwrap_err();
        assert!(error.to_string().contains("could not be filled in"), "{error}");
    }
}
