//! Names of tensors, as engines and versions of transformers write them, and as they are served.

use serde_json::Value;

/// What kind of model the base is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Qwen2.5-Omni: the thinker's names are served with `thinker.` in front.
    Omni,
    /// Any other: names stay.
    Plain,
}

impl Family {
    pub(super) fn of(config: &Value) -> Self {
        let kind = config["model_type"].as_str().unwrap_or_default();
        if kind.starts_with("qwen2_5_omni") { Self::Omni } else { Self::Plain }
    }

    /// A tensor's name within the part that is trained, whatever wrote it.
    pub(super) fn bare(self, name: &str) -> String {
        if self == Self::Plain {
            return name.to_owned();
        }
        let name = name.strip_prefix("thinker.").unwrap_or(name);
        // transformers 5 groups towers and decoder under one more `model.`.
        for (newer, older) in
            [("model.language_model.", "model."), ("model.visual.", "visual."), ("model.audio_tower.", "audio_tower.")]
        {
            if let Some(rest) = name.strip_prefix(newer) {
                return format!("{older}{rest}");
            }
        }
        name.to_owned()
    }

    /// The name vLLM reads.
    pub(super) fn served(self, name: &str) -> String {
        if self == Self::Plain || is_speech(name) || name.starts_with("score.") {
            return name.to_owned();
        }
        format!("thinker.{}", self.bare(name))
    }
}

/// Whether a tensor belongs to speech output, which judging never uses.
pub(super) fn is_speech(name: &str) -> bool {
    name.starts_with("talker.") || name.starts_with("token2wav.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_writers_names_are_served_alike() {
        let served = |name: &str| Family::Omni.served(name);
        for name in ["model.layers.0.mlp.up_proj.weight", "thinker.model.layers.0.mlp.up_proj.weight"] {
            assert_eq!(served(name), "thinker.model.layers.0.mlp.up_proj.weight");
        }
        assert_eq!(served("thinker.model.language_model.norm.weight"), "thinker.model.norm.weight");
        assert_eq!(served("model.audio_tower.ln_post.bias"), "thinker.audio_tower.ln_post.bias");
        assert_eq!(served("lm_head.weight"), "thinker.lm_head.weight");
        assert_eq!(served("talker.model.norm.weight"), "talker.model.norm.weight");
        assert_eq!(served("score.weight"), "score.weight");
        assert_eq!(Family::Plain.served("model.norm.weight"), "model.norm.weight");
    }
}
