//! Adapters for llama.cpp, which puts them on a quantised model while it runs (`--lora`).

use std::path::Path;

use grm_gguf::{GgufWriter, Metadata, TensorPlan, TensorType, Value};

use super::{
    ExportError,
    peft::{check_pairs, is_adapter},
};
use crate::{
    config::DecoderConfig,
    lora::LoraConfig,
    parameters::HostParameters,
    weights::gguf_names::{interleave, interleaved_heads, to_gguf},
};

/// Writes the adapters among `parameters` to a GGUF file; `kind` is F32 or F16. A reward head is left out: llama.cpp has no
/// place for it.
///
/// # Errors
/// No adapter, half of one, a shape that is not the configuration's, NaN, alpha 0, or a place that cannot be written to.
pub fn write_gguf_adapter(
    path: &Path,
    config: &DecoderConfig,
    lora: &LoraConfig,
    parameters: &HostParameters,
    kind: TensorType,
) -> Result<(), ExportError> {
    check_pairs(parameters)?;
    if lora.alpha <= 0.0 || !lora.alpha.is_finite() {
        return Err(ExportError::Alpha { alpha: lora.alpha });
    }
    let tensors: Vec<Factor> =
        parameters.keys().filter(|name| is_adapter(name)).map(|name| factor(name)).collect::<Result<_, _>>()?;
    for tensor in &tensors {
        tensor.check(config, lora, &parameters[tensor.ours].shape)?;
    }
    let plan = |tensor: &Factor| TensorPlan {
        name: tensor.stored.clone(),
        shape: parameters[tensor.ours].shape.clone(),
        kind,
    };
    let failed = |source| ExportError::Gguf { path: path.to_owned(), source: Box::new(source) };
    let mut writer =
        GgufWriter::create(path, &metadata(config, lora), tensors.iter().map(plan).collect()).map_err(failed)?;
    for tensor in &tensors {
        let values = tensor.values(config, parameters);
        writer.write(&tensor.stored, &values).map_err(failed)?;
    }
    writer.commit().map_err(failed)
}

fn metadata(config: &DecoderConfig, lora: &LoraConfig) -> Metadata {
    let mut metadata = Metadata::new();
    let mut text = |key: &str, value: &str| metadata.set(key, Value::String(value.to_owned()));
    text("general.architecture", config.family.model_type());
    text("general.type", "adapter");
    text("adapter.type", "lora");
    metadata.set("adapter.lora.alpha", Value::F32(lora.alpha));
    metadata
}

/// One half of an adapter under both names.
struct Factor<'a> {
    ours: &'a str,
    /// `blk.0.attn_q.weight.lora_a`
    stored: String,
}

fn factor(ours: &str) -> Result<Factor<'_>, ExportError> {
    let unknown = || ExportError::NotAdapter { name: ours.to_owned() };
    let (module, half) = ours.rsplit_once(".lora_").ok_or_else(unknown)?;
    let base = to_gguf(&format!("{module}.weight")).ok_or_else(unknown)?;
    Ok(Factor { ours, stored: format!("{base}.lora_{}", if half == "A.weight" { "a" } else { "b" }) })
}

impl Factor<'_> {
    fn check(&self, config: &DecoderConfig, lora: &LoraConfig, found: &[usize]) -> Result<(), ExportError> {
        let [outputs, inputs] = config.linear_shape(self.target());
        let is_a = self.ours.ends_with("lora_A.weight");
        let expected = if is_a { [lora.rank, inputs] } else { [outputs, lora.rank] };
        let is_beyond = self.layer() >= config.layers;
        if found == expected && !is_beyond {
            return Ok(());
        }
        let expected = if is_beyond { Vec::new() } else { expected.to_vec() };
        Err(ExportError::Shape { name: self.ours.to_owned(), found: found.to_vec(), expected })
    }

    fn target(&self) -> &str {
        self.ours.rsplit('.').nth(2).expect("checked by its GGUF name")
    }

    fn layer(&self) -> usize {
        self.ours.split('.').nth(2).and_then(|index| index.parse().ok()).expect("checked by its GGUF name")
    }

    /// What `lora_B` gives are rows of q and k, so it is reordered as they are; `lora_A` is not.
    fn values(&self, config: &DecoderConfig, parameters: &HostParameters) -> Vec<f32> {
        let tensor = &parameters[self.ours];
        let is_b = self.ours.ends_with("lora_B.weight");
        match interleaved_heads(config, self.ours).filter(|_| is_b) {
            None => tensor.values.clone(),
            Some(heads) => interleave(&tensor.values, tensor.shape[0], heads),
        }
    }
}
