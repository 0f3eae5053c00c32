//! A loaded model: weights, vocabulary and chat template, shared by every context made from it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

use grm_core::ModelError;
use grm_gguf::read_header;
use grm_text::{ChatTemplate, Rendered};
use llama_cpp_2::{
    LogOptions,
    context::{LlamaContext, params::LlamaContextParams},
    llama_backend::LlamaBackend,
    model::{LlamaLoraAdapter, LlamaModel, params::LlamaModelParams},
    send_logs_to_tracing,
    token::LlamaToken,
};

use crate::{
    models::{ResolvedModel, file_sha256},
    scheduler::Token,
};

/// The one llama.cpp backend of this process; its log goes to `tracing`.
pub(crate) fn backend() -> Result<&'static LlamaBackend, ModelError> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let started = BACKEND.get_or_init(|| {
        send_logs_to_tracing(LogOptions::default());
        LlamaBackend::init().map_err(|error| error.to_string())
    });
    started.as_ref().map_err(|reason| engine_error("could not start llama.cpp", reason.clone()))
}

pub(crate) fn engine_error(
    context: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ModelError {
    ModelError::Engine { context: context.into(), source: source.into() }
}

/// Rendered and tokenised messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) ids: Vec<Token>,
    /// Leading tokens other calls share.
    pub(crate) shared: usize,
}

/// A LoRA adapter to lay over the weights.
pub(crate) struct Adapter {
    lora: LlamaLoraAdapter,
    scale: f32,
    /// Hash and scale, for the model's identity.
    pub(crate) identity: String,
}

/// Weights in memory with what is needed to speak to them.
pub(crate) struct Weights {
    model: LlamaModel,
    pub(crate) source: ResolvedModel,
    pub(crate) template: ChatTemplate,
    /// The bytes each token writes; empty for special tokens.
    pieces: Vec<Box<[u8]>>,
    by_piece: OnceLock<HashMap<Box<[u8]>, Token>>,
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Weights").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Weights {
    /// Loads the file, whose header `models::resolve` has checked, and an adapter made for it.
    pub(crate) fn load(
        source: ResolvedModel,
        gpu_layers: u32,
        adapter: Option<(PathBuf, f32)>,
    ) -> Result<(Arc<Self>, Option<Adapter>), ModelError> {
        let backend = backend()?;
        let parameters = LlamaModelParams::default().with_n_gpu_layers(gpu_layers);
        let mut model = LlamaModel::load_from_file(backend, &source.path, &parameters)
            .map_err(|error| engine_error(format!("could not load the model {}", source.path.display()), error))?;
        let adapter = adapter.map(|(path, scale)| load_adapter(&mut model, &path, scale)).transpose()?;
        let vocabulary = model.vocab();
        let special_text = |token: LlamaToken| {
            let bytes = if token.0 >= 0 { vocabulary.token_to_piece(token, true, None) } else { Vec::new() };
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (bos, eos) = (special_text(vocabulary.bos()), special_text(vocabulary.eos()));
        let template = ChatTemplate::new(&source.name, source.header.chat_template.as_deref(), bos, eos)?;
        let pieces =
            vocabulary.tokens().map(|token| vocabulary.token_to_piece(token, false, None).into_boxed_slice()).collect();
        let weights = Self { model, source, template, pieces, by_piece: OnceLock::new() };
        Ok((Arc::new(weights), adapter))
    }

    /// Makes a context. llama.cpp changes the model while it does, so only one is made at a time.
    pub(crate) fn context(&self, parameters: LlamaContextParams) -> Result<LlamaContext<'_>, ModelError> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let backend = backend()?;
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let cells = parameters.n_ctx().map_or(0, std::num::NonZeroU32::get);
        self.model.new_context(backend, parameters).map_err(|error| {
            let context = format!("could not make room for {cells} tokens of {}; lower --context", self.source.name);
            engine_error(context, error)
        })
    }

    pub(crate) fn model(&self) -> &LlamaModel {
        &self.model
    }

    /// Positions the model was trained for.
    pub(crate) fn trained_tokens(&self) -> usize {
        self.model.n_ctx_train() as usize
    }

    /// Width of a hidden state.
    pub(crate) fn width(&self) -> usize {
        usize::try_from(self.model.n_embd_out()).unwrap_or_default()
    }

    /// Whether a sequence's state can be forked and cut at any place.
    pub(crate) fn can_fork(&self) -> bool {
        !self.model.is_recurrent() && !self.model.is_hybrid()
    }

    /// Tokens of a rendered conversation, each stretch cut on its own.
    pub(crate) fn tokenize(&self, rendered: &Rendered) -> Tokens {
        let vocabulary = self.model.vocab();
        let mut ids: Vec<LlamaToken> = Vec::new();
        let mut shared = 0;
        for (index, stretch) in rendered.stretches.iter().enumerate() {
            if !stretch.text.is_empty() {
                ids.extend(vocabulary.tokenize(stretch.text.as_bytes(), false, stretch.special));
            }
            if index + 1 == rendered.shared {
                shared = ids.len();
            }
        }
        let bos = vocabulary.bos();
        if vocabulary.should_add_bos() && ids.first() != Some(&bos) {
            ids.insert(0, bos);
            shared += usize::from(shared > 0);
        }
        Tokens { ids: ids.into_iter().map(|token| token.0).collect(), shared }
    }

    /// The bytes a token writes; none for special tokens.
    pub(crate) fn piece(&self, token: Token) -> &[u8] {
        usize::try_from(token).ok().and_then(|index| self.pieces.get(index)).map_or(&[], |piece| piece)
    }

    /// The token that writes exactly these bytes, the lowest if several do.
    pub(crate) fn token_writing(&self, bytes: &[u8]) -> Option<Token> {
        let index = self.by_piece.get_or_init(|| {
            let mut index = HashMap::with_capacity(self.pieces.len());
            for (token, piece) in (0..).zip(&self.pieces).filter(|(_, piece)| !piece.is_empty()) {
                index.entry(piece.clone()).or_insert(token);
            }
            index
        });
        index.get(bytes).copied()
    }

    pub(crate) fn ends_turn(&self, token: Token) -> bool {
        self.model.vocab().is_eog(LlamaToken(token))
    }

    #[cfg(test)]
    pub(crate) fn is_control(&self, token: Token) -> bool {
        self.model.vocab().is_control(LlamaToken(token))
    }
}

fn load_adapter(model: &mut LlamaModel, path: &Path, scale: f32) -> Result<Adapter, ModelError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
        engine_error(format!("could not load the adapter {}; was it made for this model?", path.display()), source)
    };
    read_header(path).map_err(|error| failed(error.into()))?;
    let sha256 = file_sha256(path).map_err(|error| failed(error.into()))?;
    let lora = model.lora_adapter_init(path).map_err(|error| failed(error.into()))?;
    Ok(Adapter { lora, scale, identity: format!("{sha256}*{scale}") })
}

/// Hash and scale of an adapter file.
pub(crate) fn adapter_identity(path: &Path, scale: f32) -> Result<String, ModelError> {
    let sha256 = file_sha256(path)
        .map_err(|error| engine_error(format!("could not read the adapter {}", path.display()), error))?;
    Ok(format!("{sha256}*{scale}"))
}

impl Adapter {
    /// Lays the adapter over the weights as `context` sees them.
    pub(crate) fn apply(&mut self, context: &mut LlamaContext) -> Result<(), ModelError> {
        context
            .lora_adapter_set(&mut self.lora, self.scale)
            .map_err(|error| engine_error("could not apply the adapter; was it made for this model?", error))
    }
}
