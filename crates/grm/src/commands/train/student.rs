//! The model that is trained: its weights, and its way from conversations to tokens.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use burn::tensor::Device;
use grm_core::{Role, Span};
use grm_data::{FolderLibrary, examples::TextMessage};
use grm_gguf::GgufFile;
use grm_model::{CausalLm, DecoderConfig, LoraConfig, OpenError, RewardModel, TokenRow};
use grm_omni::{OmniFolder, Rows};
use grm_text::{ChatTokens, Turn};

use super::flags::{self, Begin};
use crate::{assemble, cli::NativeTraining};

/// A model's place, name and tokens.
pub(super) struct Student {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Of a GGUF file.
    pub(super) sha256: Option<String>,
    pub(super) tokens: ChatTokens,
    /// The way to rows of a model that sees and hears.
    rows: Option<Rows>,
}

impl Student {
    /// A folder as it is; anything else by short name, path or hub id. Media are looked for where the flags say, or else
    /// beside the data files.
    pub(super) fn find(flags: &NativeTraining, data: &[PathBuf]) -> anyhow::Result<Self> {
        let name = flags.model.as_str();
        let folder = Path::new(name);
        if folder.is_dir() {
            let roots = if flags.media.is_empty() { data } else { &flags.media };
            let rows = OmniFolder::is_one(folder)
                .then(|| Rows::new(&OmniFolder::open(folder)?, Arc::new(FolderLibrary::new(roots.iter().cloned()))));
            let tokens = ChatTokens::from_folder(folder)?;
            let rows = rows.transpose()?;
            return Ok(Self { name: name.to_owned(), path: folder.to_owned(), sha256: None, tokens, rows });
        }
        let model = assemble::resolve(name)?;
        let file = GgufFile::open(&model.path).with_context(|| model.path.display().to_string())?;
        let tokens = ChatTokens::from_gguf(&file)?;
        Ok(Self { name: model.name, path: model.path, sha256: Some(model.sha256), tokens, rows: None })
    }

    /// The student with its output layer, ready to train.
    pub(super) fn causal(&self, flags: &NativeTraining) -> anyhow::Result<(CausalLm, Option<LoraConfig>)> {
        let mut network = CausalLm::open(&self.path, &Device::default())?;
        self.check_vocabulary(network.config())?;
        let begin = Begin::of(flags)?;
        match &begin {
            Begin::Everything => network.train_everything(),
            Begin::Fresh(lora) => network.train_adapter(lora)?,
            Begin::From(adapter) => network.put_on(adapter)?,
        }
        if flags.train_towers {
            network.train_towers();
        }
        network.set_execution(flags::execution(flags));
        Ok((network, begin.lora()))
    }

    /// The student with a reward head, ready to train.
    pub(super) fn reward(&self, flags: &NativeTraining) -> anyhow::Result<(RewardModel, Option<LoraConfig>)> {
        let device = Device::default();
        let mut network = match RewardModel::open(&self.path, &device) {
            Err(OpenError::NoHead { .. }) => RewardModel::open_with_new_head(&self.path, &device)?,
            opened => opened?,
        };
        self.check_vocabulary(network.config())?;
        let begin = Begin::of(flags)?;
        match &begin {
            Begin::Everything => network.train_everything(),
            Begin::Fresh(lora) => network.train_adapter(lora)?,
            Begin::From(adapter) => network.put_on(adapter)?,
        }
        network.set_execution(flags::execution(flags));
        Ok((network, begin.lora()))
    }

    fn check_vocabulary(&self, config: &DecoderConfig) -> anyhow::Result<()> {
        let (tokens, rows) = (self.tokens.tokenizer().vocabulary_size(), config.vocabulary_size);
        if tokens > rows {
            bail!(
                "the tokenizer of {} has {tokens} tokens, its embedding {rows} rows: they do not belong together; \
                 take tokenizer and weights from one place",
                self.path.display()
            );
        }
        Ok(())
    }

    /// A prompt and the reply to learn, with the end of its turn.
    pub(super) fn row(&self, prompt: &[TextMessage], reply: &str) -> anyhow::Result<TokenRow> {
        if let Some(rows) = &self.rows {
            return Ok(rows.lesson(&shown(prompt), &[Span::Content(reply.into())])?);
        }
        let turns = turns(prompt)?;
        let row = self.tokens.row(&turns, reply)?;
        Ok(TokenRow::new(&row.prompt, &row.target))
    }

    /// A prompt and a reply up to the token that ends its turn, where a reward is read; means begin where
    /// the prompt has said all, as in the embedded engine.
    pub(super) fn scored_row(&self, prompt: &[TextMessage], reply: &str) -> anyhow::Result<TokenRow> {
        let turns = turns(prompt)?;
        let row = self.tokens.row(&turns, reply)?;
        let tokens = [&row.prompt, &row.target[..row.turn_end]].concat();
        Ok(TokenRow::from_tokens(tokens, row.prompt_end))
    }
}

/// The turns of a prompt as a model that sees and hears is shown them.
fn shown(prompt: &[TextMessage]) -> Vec<(Role, Vec<Span>)> {
    prompt.iter().map(|turn| (turn.role, turn.content.parts().iter().map(grm_omni::span).collect())).collect()
}

/// The turns of a prompt of text; pictures, clips and sounds are refused, never passed over.
fn turns(prompt: &[TextMessage]) -> anyhow::Result<Vec<Turn<'_>>> {
    let refused = "the prompt holds media, and this model reads text; leave the record out, or train a thinker";
    prompt.iter().map(|turn| Ok(Turn { role: turn.role, text: turn.content.text().context(refused)? })).collect()
}
