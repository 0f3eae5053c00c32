//! Configurations of thinkers in every spelling, and the tensors they promise.

mod reference;

use std::collections::BTreeSet;

use grm_model::{
    Weights as _,
    omni::{OmniKind, ThinkerConfig, expected_tensors},
    weights::SafetensorsFolder,
};
use reference::folder;
use serde_json::{Value, json};

fn read(value: &Value) -> Result<ThinkerConfig, String> {
    ThinkerConfig::from_keys(value.as_object().expect("an object")).map_err(|error| error.to_string())
}

fn golden(name: &str) -> Value {
    let path = folder().join(name);
    serde_json::from_slice(&std::fs::read(path).expect("a golden")).expect("JSON")
}

/// A thinker of published size, as transformers 4.x writes it.
fn omni(text: &Value, out: usize) -> Value {
    json!({
        "model_type": "qwen2_5_omni",
        "talker_config": {},
        "thinker_config": {
            "model_type": "qwen2_5_omni_thinker",
            "audio_token_index": 151_646, "audio_start_token_id": 151_647, "audio_end_token_id": 151_648,
            "vision_start_token_id": 151_652, "vision_end_token_id": 151_653,
            "image_token_index": 151_655, "video_token_index": 151_656,
            "pad_token_id": 151_643, "position_id_per_seconds": 25, "seconds_per_chunk": 2,
            "text_config": text,
            "vision_config": vision(out),
            "audio_config": {
                "d_model": 1280, "encoder_ffn_dim": 5120, "encoder_layers": 32, "encoder_attention_heads": 20,
                "num_mel_bins": 128, "n_window": 100, "max_source_positions": 1500, "output_dim": out,
                "activation_function": "gelu", "scale_embedding": false
            }
        }
    })
}

fn vision(out: usize) -> Value {
    json!({
        "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "patch_size": 14,
        "temporal_patch_size": 2, "spatial_merge_size": 2, "in_chans": 3, "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31], "out_hidden_size": out, "tokens_per_second": 2, "hidden_act": "silu"
    })
}

fn text(sizes: [usize; 6]) -> Value {
    let [hidden, inner, layers, heads, key_value_heads, vocabulary] = sizes;
    json!({
        "model_type": "qwen2_5_omni_text", "hidden_size": hidden, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": key_value_heads,
        "vocab_size": vocabulary, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0, "max_position_embeddings": 32_768,
        "rope_scaling": {"mrope_section": [16, 24, 24], "rope_type": "default", "type": "default"},
        "use_sliding_window": false, "sliding_window": 32_768, "tie_word_embeddings": false
    })
}

const SIZES_7B: [usize; 6] = [3584, 18_944, 28, 28, 4, 152_064];
const SIZES_3B: [usize; 6] = [2048, 11_008, 36, 16, 2, 151_936];

fn counts(config: &ThinkerConfig, prefix: &str) -> (usize, usize) {
    let tensors = expected_tensors(config);
    let chosen = tensors.iter().filter(|(name, _)| name.starts_with(prefix));
    chosen.fold((0, 0), |(count, sum), (_, shape)| (count + 1, sum + shape.iter().product::<usize>()))
}

#[test]
fn the_published_7b_has_its_tensors_and_parameters() {
    let config = read(&omni(&text(SIZES_7B), 3584)).expect("reads");
    assert_eq!(counts(&config, "thinker."), (1346, 8_931_813_888));
    assert_eq!(counts(&config, ""), (1346, 8_931_813_888));
    assert_eq!(counts(&config, "thinker.visual.").0, 518);
    assert_eq!(counts(&config, "thinker.audio_tower.").0, 489);
    assert_eq!(counts(&config, "thinker.model.").0, 338);
    assert_eq!(counts(&config, "thinker.lm_head."), (1, 152_064 * 3584));
    let head = config.vision.head_width();
    assert_eq!((head, config.vision.window_cells, config.decoder.head_dim), (80, 4, 128));
}

#[test]
fn the_3b_differs_in_the_decoder_and_in_the_width_the_towers_end_in() {
    let config = read(&omni(&text(SIZES_3B), 2048)).expect("reads");
    let layer = (2048 + 1) * (2048 + 512) + 2048 * 2048 + 3 * 2048 * 11_008 + 2 * 2048;
    let tables = 2 * 151_936 * 2048;
    assert_eq!(counts(&config, "thinker.model.").0, 36 * 12 + 2);
    let decoder = counts(&config, "thinker.model.").1 + counts(&config, "thinker.lm_head.").1;
    assert_eq!(decoder, 36 * layer + tables + 2048);
    let full = read(&omni(&text(SIZES_7B), 3584)).expect("reads");
    let narrower = counts(&full, "thinker.visual.").1 - counts(&config, "thinker.visual.").1;
    assert_eq!(narrower, (5120 + 1) * (3584 - 2048));
    assert_eq!(counts(&config, "").0, 518 + 489 + 36 * 12 + 3);
}

#[test]
fn the_goldens_hold_exactly_the_tensors_expected() {
    for (name, config) in [("omni", "omni/config.json"), ("vl", "vl/config.json")] {
        let config = ThinkerConfig::read(&folder().join(config)).expect("reads");
        let path = if name == "omni" { folder().join("omni") } else { folder().join("vl/model.safetensors") };
        let weights = SafetensorsFolder::open(&path).expect("opens");
        let expected = expected_tensors(&config);
        let names: BTreeSet<String> = expected.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(names.len(), expected.len(), "named twice");
        assert_eq!(names, weights.names().into_iter().collect(), "{name}");
        for (tensor, shape) in expected {
            assert_eq!(weights.read(&tensor).expect("reads").shape, shape, "{tensor}");
        }
    }
}

#[test]
fn all_spellings_of_one_thinker_are_one_configuration() {
    let old = golden("omni/config.json");
    let expected = read(&old).expect("reads");
    assert_eq!(expected.kind, OmniKind::Qwen25Omni);
    assert_eq!((expected.tokens.image, expected.tokens.video, expected.mrope_section), (309, 310, [2, 3, 3]));
    assert_eq!(expected.tokens.audio.map(|audio| [audio.audio, audio.start, audio.end]), Some([303, 304, 305]));
    assert_eq!((expected.position_ids_per_second, expected.decoder.pad_token), (25, Some(300)));
    assert_eq!(read(&json!({"model_type": "qwen2_5_omni", "thinker_config": old})), Ok(expected.clone()));
    let mut new = old.clone();
    for kind in ["audio", "image", "video"] {
        let id = new.as_object_mut().expect("object").remove(&format!("{kind}_token_index")).expect("there");
        new[format!("{kind}_token_id")] = id;
    }
    let text = new["text_config"].as_object_mut().expect("object");
    let (theta, mut rope) = (text.remove("rope_theta").expect("there"), text.remove("rope_scaling").expect("there"));
    rope["rope_theta"] = theta;
    text.insert("rope_parameters".into(), rope);
    text.remove("torch_dtype");
    text.insert("dtype".into(), "bfloat16".into());
    assert_eq!(read(&new), Ok(expected));
}

#[test]
fn a_vision_language_model_is_read_nested_and_flat() {
    let nested = golden("vl/config.json");
    let expected = read(&nested).expect("reads");
    assert_eq!((expected.kind, &expected.audio), (OmniKind::Qwen25Vl, &None));
    assert_eq!((expected.position_ids_per_second, expected.tokens.audio), (2, None));
    let mut flat = nested.clone();
    let text = flat.as_object_mut().expect("object").remove("text_config").expect("there");
    for (key, value) in text.as_object().expect("object") {
        if key != "model_type" {
            flat[key] = value.clone();
        }
    }
    assert_eq!(read(&flat), Ok(expected));
}

#[test]
fn a_tied_output_layer_needs_both_levels_to_agree() {
    let tied = |top: bool, text: bool| {
        let mut config = golden("vl/config.json");
        config["tie_word_embeddings"] = top.into();
        config["text_config"]["tie_word_embeddings"] = text.into();
        read(&config).expect("reads").decoder.tied_embeddings
    };
    assert_eq!([tied(true, true), tied(true, false), tied(false, true)], [true, false, false]);
}

#[test]
fn numbers_that_cannot_be_are_refused_with_a_reason() {
    let check = |path: &str, value: Value, reason: &str| {
        let mut config = golden("omni/config.json");
        *config.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        let message = read(&config).expect_err(path);
        assert!(message.contains(reason), "{path}: {message}");
    };
    check("/model_type", "qwen3_omni_moe".into(), "use a Qwen2.5-Omni or Qwen2.5-VL model");
    check("/vision_config", Value::Null, "`vision_config`");
    check("/vision_config/patch_size", 16.into(), "whose `patch_size` is 14");
    check("/vision_config/spatial_merge_size", 3.into(), "whose `spatial_merge_size` is 2");
    check("/vision_config/hidden_act", "gelu".into(), "whose `hidden_act` is \"silu\"");
    check("/vision_config/hidden_size", 3584.into(), "hidden_size and embed_dim differ");
    check("/vision_config/hidden_size", "64".into(), "`vision_config.hidden_size` (it is \"64\")");
    check("/vision_config/window_size", 100.into(), "windows of 100 pixels");
    check("/vision_config/fullatt_block_indexes", json!([1, 3]), "vision block 3 of 3");
    check("/vision_config/out_hidden_size", 32.into(), "a tower gives states of width 32, the decoder takes 64");
    check("/vision_config/num_heads", 0.into(), "is 0");
    check("/vision_config/num_heads", 5.into(), "cannot be turned");
    check("/audio_config/num_mel_bins", 80.into(), "whose `num_mel_bins` is 128");
    check("/audio_config/output_dim", 32.into(), "a tower gives states of width 32");
    check("/audio_config/n_window", 2000.into(), "2000 positions");
    check("/audio_config/n_window", 25.into(), "whole tokens");
    check("/audio_config/d_model", 66.into(), "cannot share a width of 66");
    check("/text_config/rope_scaling/mrope_section", json!([2, 3]), "`rope_scaling.mrope_section`");
    check("/text_config/rope_scaling/mrope_section", json!([2, 3, 4]), "9 frequencies, a head has 8");
    check("/text_config/rope_scaling/rope_type", "yarn".into(), "\"yarn\"");
    check("/text_config/use_sliding_window", true.into(), "sliding-window");
    check("/text_config/hidden_size", Value::Null, "`text_config.hidden_size`");
    check("/image_token_index", 5000.into(), "token 5000 is outside a vocabulary of 320");
    check("/image_token_index", 310.into(), "are the same");
    check("/image_token_index", Value::Null, "`image_token_id` (it is missing)");
    check("/position_id_per_seconds", 0.into(), "`position_id_per_seconds`");
    check("/seconds_per_chunk", 0.into(), "a chunk of 0 seconds");
}
