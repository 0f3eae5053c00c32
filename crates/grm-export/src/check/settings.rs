//! The engine's settings against the manifest and against each other.

use serde_json::Value;

use super::{FaultKind, Inspection};
use crate::{
    Engine, Set,
    engines::{data_file, llamafactory},
};

const INFO: &str = "data/dataset_info.json";

impl Inspection<'_> {
    pub(super) fn settings(&mut self) {
        if self.manifest.engine != Engine::LlamaFactory {
            return;
        }
        let info = self.dataset_info();
        for set in self.sets() {
            if let Some(info) = &info {
                self.columns(info, set);
            }
            self.yaml(info.as_ref(), &format!("{}.yaml", set.as_str()));
        }
    }

    /// Sets with records.
    pub(super) fn sets(&self) -> Vec<Set> {
        self.manifest.sets.iter().filter(|(_, counts)| counts.records > 0).map(|(&set, _)| set).collect()
    }

    fn dataset_info(&mut self) -> Option<Value> {
        let text = self.text(INFO)?;
        match serde_json::from_str(&text) {
            Ok(info) => Some(info),
            Err(error) => {
                self.fault(FaultKind::BrokenLine, INFO, Some(error.line()), error.to_string());
                None
            }
        }
    }

    /// A text file; one that is missing has been reported with the manifest's files.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.join(name)).ok()
    }

    fn columns(&mut self, info: &Value, set: Set) {
        let entry = &info[format!("grm_{}", set.as_str())];
        if entry.is_null() {
            return;
        }
        for column in llamafactory::columns(set).iter().filter(|column| entry["columns"][**column].is_null()) {
            let effect = if llamafactory::is_media_column(column) {
                "the files would not be shown"
            } else {
                "nothing would be learnt"
            };
            let what = format!("grm_{} does not name the column `{column}`: {effect}", set.as_str());
            self.fault(FaultKind::UnnamedColumn, INFO, None, what);
        }
        if set == Set::Dpo && entry["ranking"] != true {
            self.fault(FaultKind::UnnamedColumn, INFO, None, "grm_dpo has no `ranking: true`".into());
        }
        if entry["file_name"].as_str().map(|name| format!("data/{name}")) != Some(data_file(set)) {
            let what = format!("grm_{} is read from {}", set.as_str(), entry["file_name"]);
            self.fault(FaultKind::UnknownDataset, INFO, None, what);
        }
    }

    fn yaml(&mut self, info: Option<&Value>, file: &str) {
        let Some(text) = self.text(file) else { return };
        let caps = self.manifest.caps.clone();
        let expected = [
            ("cutoff_len", self.manifest.cutoff_tokens.to_string()),
            ("image_max_pixels", caps.image_pixels[1].to_string()),
            ("image_min_pixels", caps.image_pixels[0].to_string()),
            ("video_max_pixels", caps.video_pixels[1].to_string()),
            ("video_min_pixels", caps.video_pixels[0].to_string()),
            ("video_fps", format!("{:?}", caps.video_fps)),
            ("video_maxlen", caps.video_frames_max.to_string()),
        ];
        let keys = llamafactory::yaml_keys(&text);
        for (key, value) in &expected {
            let found = keys.iter().find(|(_, name, _)| name == key);
            let (line, found) = found.map_or((None, "missing"), |(line, _, found)| (Some(*line), found.as_str()));
            if found != value {
                let what = format!("`{key}` is {found}, lengths were counted with {value}");
                self.fault(FaultKind::SettingDiffers, file, line, what);
            }
        }
        for (line, key, value) in &keys {
            match key.as_str() {
                "dataset" => self.datasets(info, file, *line, value),
                "deepspeed" if !self.folder.join(value).is_file() => {
                    self.fault(FaultKind::MissingSettingFile, file, Some(*line), format!("`deepspeed` names {value}"));
                }
                _ => {}
            }
        }
    }

    fn datasets(&mut self, info: Option<&Value>, file: &str, line: usize, value: &str) {
        for name in value.split(',').map(str::trim) {
            if info.is_some_and(|info| info[name].is_null()) {
                let what = format!("`dataset` names {name:?}, which dataset_info.json does not have");
                self.fault(FaultKind::UnknownDataset, file, Some(line), what);
            }
        }
    }
}
