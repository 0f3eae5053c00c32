//! Putting on an adapter that PEFT, or something that writes as it does, has saved.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Map, Value};

use crate::{
    causal::CausalLm,
    decoder::{Decoder, Linear, Lora},
    lora::{LoraConfig, TARGETS, linears},
    reward::RewardModel,
    weights::{HostTensor, SafetensorsFolder, WeightError, Weights as _},
};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// Where a decoder's layers may lie in an adapter: plain, bare, the thinker of Qwen2.5-Omni, vision models.
const PREFIXES: [&str; 5] = ["model.", "", "thinker.model.", "model.language_model.", "language_model.model."];

/// Why an adapter cannot be put on.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// `adapter_config.json` is missing or not what its name says.
    #[error("{}: {reason}; give the folder that PEFT's save_pretrained wrote", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A kind of adapter that is not computed here.
    #[error("{}: {what}, which is not built here; merge the adapter with PEFT, or train a plain LoRA", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it needs.
        what: String,
    },
    /// A tensor that has no place in the model, or lacks its other half.
    #[error("{place}: tensor {name} {reason}; the adapter belongs to another base model")]
    Tensor {
        /// The file.
        place: String,
        /// The tensor, or the layer it is for.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A classifier's adapter on a generating model.
    #[error("{} has a reward head; open its base model as a reward model", place.display())]
    Head {
        /// The folder.
        place: PathBuf,
    },
    /// The tensors cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightError),
}

/// An adapter in memory, not yet on a model.
#[derive(Debug, Clone)]
pub struct PeftAdapter {
    /// What it says it belongs to.
    pub base: Option<String>,
    /// Rank, alpha and layers. For rank-stabilised adapters alpha is what gives the same scale, `alpha · √rank`.
    pub lora: LoraConfig,
    place: PathBuf,
    factors: BTreeMap<Place, Factors>,
    head: Option<HostTensor>,
}

/// Layer and linear part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    layer: usize,
    target: &'static str,
}

/// Both halves, as they are found.
#[derive(Debug, Clone, Default)]
struct Factors {
    a: Option<HostTensor>,
    b: Option<HostTensor>,
}

/// Where a tensor goes.
enum Part {
    A(Place),
    B(Place),
    Head,
    /// PEFT's copy of the head before training.
    Unused,
}

/// Reads `adapter_config.json` and `adapter_model.safetensors` from `folder`.
///
/// # Errors
/// Missing or damaged files, a pickle, NaN, and everything but plain LoRA on a decoder's linear layers: `DoRA`, biases,
/// patterns of ranks, embeddings, initialisations that change the base (`PiSSA` and its like).
pub fn read_peft(folder: &Path) -> Result<PeftAdapter, AdapterError> {
    let path = folder.join(CONFIG);
    let keys = read_keys(&path)?;
    refuse_other_kinds(&path, &keys)?;
    let mut adapter = PeftAdapter {
        base: keys.get("base_model_name_or_path").and_then(Value::as_str).map(str::to_owned),
        lora: read_lora(&path, &keys)?,
        place: folder.to_owned(),
        factors: BTreeMap::new(),
        head: None,
    };
    adapter.read_tensors(&folder.join(WEIGHTS))?;
    Ok(adapter)
}

fn read_keys(path: &Path) -> Result<Map<String, Value>, AdapterError> {
    let unusable = |reason: String| AdapterError::Config { path: path.to_owned(), reason };
    let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(keys)) => Ok(keys),
        Ok(_) => Err(unusable("it is not an object".into())),
        Err(error) => Err(unusable(error.to_string())),
    }
}

fn refuse_other_kinds(path: &Path, keys: &Map<String, Value>) -> Result<(), AdapterError> {
    let is_set = |key: &&str| match keys.get(*key) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(items)) => !items.is_empty(),
        Some(_) => true,
    };
    let unsupported = |what: String| Err(AdapterError::Unsupported { path: path.to_owned(), what });
    let kind = keys.get("peft_type").and_then(Value::as_str).unwrap_or("no kind");
    if kind != "LORA" {
        return unsupported(format!("an adapter of kind {kind:?}"));
    }
    const OTHERS: [&str; 11] = [
        "use_dora",
        "lora_bias",
        "fan_in_fan_out",
        "use_qalora",
        "use_bdlora",
        "layer_replication",
        "rank_pattern",
        "alpha_pattern",
        "alora_invocation_tokens",
        "trainable_token_indices",
        "target_parameters",
    ];
    if let Some(key) = OTHERS.iter().find(|key| is_set(key)) {
        return unsupported(format!("it has `{key}`"));
    }
    if keys.get("bias").and_then(Value::as_str).unwrap_or("none") != "none" {
        return unsupported("it trains biases".into());
    }
    let saved = keys.get("modules_to_save").and_then(Value::as_array).into_iter().flatten();
    if let Some(module) = saved.filter_map(Value::as_str).find(|module| !matches!(*module, "score" | "classifier")) {
        return unsupported(format!("it replaces {module:?}"));
    }
    let changes_base = |kind: &&str| ["pissa", "olora", "corda", "loftq"].iter().any(|known| kind.starts_with(known));
    match keys.get("init_lora_weights").and_then(Value::as_str).filter(changes_base) {
        Some(kind) => unsupported(format!("it was initialised by {kind}, which changes the base's weights")),
        None => Ok(()),
    }
}

fn read_lora(path: &Path, keys: &Map<String, Value>) -> Result<LoraConfig, AdapterError> {
    let unusable = |key: &str| AdapterError::Config { path: path.to_owned(), reason: format!("no usable `{key}`") };
    let rank = keys.get("r").and_then(Value::as_u64).filter(|rank| (1..=1 << 16).contains(rank));
    let rank = rank.ok_or_else(|| unusable("r"))? as usize;
    let alpha = keys.get("lora_alpha").and_then(Value::as_f64).filter(|alpha| alpha.is_finite());
    let alpha = alpha.ok_or_else(|| unusable("lora_alpha"))?;
    let stabilised = keys.get("use_rslora").and_then(Value::as_bool) == Some(true);
    let alpha = if stabilised { alpha * (rank as f64).sqrt() } else { alpha };
    Ok(LoraConfig { rank, alpha: alpha as f32, targets: Vec::new(), seed: 0 })
}

impl PeftAdapter {
    /// What the tensors sit on decides, not `target_modules`: that may be a pattern.
    fn read_tensors(&mut self, path: &Path) -> Result<(), AdapterError> {
        let pickle = path.with_file_name("adapter_model.bin");
        if !path.is_file() && pickle.is_file() {
            return Err(WeightError::Pickle { path: pickle }.into());
        }
        let file = SafetensorsFolder::open_file(path)?;
        for name in file.names() {
            let place = || path.display().to_string();
            let unknown = || self.wrong(&name, "has no place in a decoder");
            let part = part(&name).ok_or_else(unknown)?;
            let tensor = file.read(&name)?;
            if let Some(index) = tensor.values.iter().position(|value| !value.is_finite()) {
                return Err(WeightError::NotFinite { place: place(), name, index }.into());
            }
            match part {
                Part::A(place) => self.factors.entry(place).or_default().a = Some(tensor),
                Part::B(place) => self.factors.entry(place).or_default().b = Some(tensor),
                Part::Head => self.head = Some(tensor),
                Part::Unused => {}
            }
        }
        let is_used = |target: &str| self.factors.keys().any(|place| place.target == target);
        self.lora.targets = TARGETS.into_iter().filter(|target| is_used(target)).map(str::to_owned).collect();
        if self.factors.is_empty() { Err(self.wrong("lora_A", "is not there")) } else { Ok(()) }
    }

    fn wrong(&self, name: &str, reason: &str) -> AdapterError {
        let place = self.place.join(WEIGHTS).display().to_string();
        AdapterError::Tensor { place, name: name.to_owned(), reason: reason.to_owned() }
    }

    fn put_on(&self, decoder: &mut Decoder, device: &Device) -> Result<(), AdapterError> {
        let mut adapters = BTreeMap::new();
        for (place, factors) in &self.factors {
            let name = format!("layers.{}.{}", place.layer, place.target);
            let layer =
                decoder.layers.get_mut(place.layer).ok_or_else(|| self.wrong(&name, "is beyond the last layer"))?;
            let (_, linear) = linears(layer).into_iter().find(|(target, _)| *target == place.target).expect("a target");
            adapters.insert(place, self.adapter(&name, factors, linear, device)?);
        }
        for (index, layer) in decoder.layers.iter_mut().enumerate() {
            for (target, linear) in linears(layer) {
                linear.lora = adapters.remove(&Place { layer: index, target });
            }
        }
        Ok(())
    }

    fn adapter(&self, name: &str, factors: &Factors, on: &Linear, device: &Device) -> Result<Lora, AdapterError> {
        let [outputs, inputs] = on.weight.val().dims();
        let factor = |tensor: &Option<HostTensor>, half: &str, shape: [usize; 2]| {
            let name = format!("{name}.{half}");
            let tensor = tensor.as_ref().ok_or_else(|| self.wrong(&name, "is not there"))?;
            let reason = || format!("has shape {:?} where {shape:?} is needed", tensor.shape);
            if tensor.shape != shape {
                return Err(self.wrong(&name, &reason()));
            }
            Ok(Tensor::<2>::from_data(TensorData::new(tensor.values.clone(), shape), device))
        };
        let a = factor(&factors.a, "lora_A", [self.lora.rank, inputs])?;
        let b = factor(&factors.b, "lora_B", [outputs, self.lora.rank])?;
        Ok(Lora::new(a, b, self.lora.scale()))
    }
}

/// `None` for a tensor that is not part of a plain adapter on a decoder.
fn part(name: &str) -> Option<Part> {
    let name = name.strip_prefix("base_model.model.").unwrap_or(name).replace(".default.", ".");
    match name.as_str() {
        "score.weight" | "score.modules_to_save.weight" => return Some(Part::Head),
        "score.original_module.weight" => return Some(Part::Unused),
        _ => {}
    }
    let (module, half) = name.rsplit_once(".lora_")?;
    let (prefix, rest) = module.split_at(module.find("layers.")?);
    let (layer, path) = rest.strip_prefix("layers.")?.split_once('.')?;
    let target = *TARGETS.iter().find(|target| path == super::pieces::path_of(target))?;
    let place = Place { layer: layer.parse().ok()?, target };
    match half {
        _ if !PREFIXES.contains(&prefix) => None,
        "A.weight" => Some(Part::A(place)),
        "B.weight" => Some(Part::B(place)),
        _ => None,
    }
}

impl CausalLm {
    /// Puts a saved adapter on in place of any there is, and makes it, and nothing else, trainable.
    ///
    /// # Errors
    /// An adapter of another base model, or of a classifier; the model is then as it was.
    pub fn put_on(&mut self, adapter: &PeftAdapter) -> Result<(), AdapterError> {
        if adapter.head.is_some() {
            return Err(AdapterError::Head { place: adapter.place.clone() });
        }
        let device = self.trunk.device.clone();
        adapter.put_on(&mut self.trunk.decoder, &device)?;
        self.trunk.train_adapters();
        Ok(())
    }
}

impl RewardModel {
    /// Puts a saved adapter on in place of any there is, with its head where it has one, and makes it and the head
    /// trainable.
    ///
    /// # Errors
    /// An adapter of another base model; the model is then as it was.
    pub fn put_on(&mut self, adapter: &PeftAdapter) -> Result<(), AdapterError> {
        let hidden = self.trunk.config.hidden_size;
        if let Some(head) = adapter.head.as_ref().filter(|head| head.shape != [1, hidden]) {
            let reason = format!("has shape {:?} where {:?} is needed", head.shape, [1, hidden]);
            return Err(adapter.wrong("score.weight", &reason));
        }
        let device = self.trunk.device.clone();
        adapter.put_on(&mut self.trunk.decoder, &device)?;
        self.trunk.train_adapters();
        if let Some(head) = &adapter.head {
            self.set_head(&head.values, None);
        }
        Ok(())
    }
}
