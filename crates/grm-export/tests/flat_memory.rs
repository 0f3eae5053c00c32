//! An import of any size takes the memory of its headers. In a process of its own: the peak is the process's.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use serde_json::{Value, json};

const MEGABYTES: usize = 64;

fn peak_kilobytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

fn model(folder: &Path, prefix: &str, config: &Value) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let bytes = MEGABYTES << 20;
    let name = format!("{prefix}model.embed_tokens.weight");
    let header =
        json!({ name: { "dtype": "F32", "shape": [bytes / 4096, 1024], "data_offsets": [0, bytes] } }).to_string();
    let mut file = File::create(folder.join("model.safetensors")).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    for piece in 0..MEGABYTES {
        file.write_all(&vec![u8::try_from(piece).unwrap(); 1 << 20]).unwrap();
    }
}

#[test]
fn an_import_is_never_held_in_memory() {
    let home = tempfile::tempdir().unwrap();
    let (base, trained, out) = (home.path().join("base"), home.path().join("trained"), home.path().join("out"));
    model(&base, "thinker.", &json!({ "model_type": "qwen2_5_omni", "thinker_config": {} }));
    model(&trained, "", &json!({ "model_type": "qwen2_5_omni_thinker" }));
    let Some(before) = peak_kilobytes() else {
        println!("skipped: this system does not tell a process its peak");
        return;
    };
    grm_export::import::import(&trained, &base, &out).unwrap();
    let grown = peak_kilobytes().unwrap() - before;
    println!("an import of {MEGABYTES} MiB raised the peak by {grown} KiB");
    assert!(grown < 4096, "{grown} KiB");

    let tail = |folder: &Path| {
        let bytes = fs::read(folder.join("model.safetensors")).unwrap();
        bytes[bytes.len() - (MEGABYTES << 20)..].to_vec()
    };
    assert!(tail(&out) == tail(&trained), "the data are the same bytes");
}
