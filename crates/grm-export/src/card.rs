//! `README.md`: the data set card, whose YAML header tells `datasets.load_dataset` where the tables are.

use std::fmt::Write as _;

use crate::{Set, manifest::Manifest};

pub(crate) fn card(manifest: &Manifest) -> String {
    let mut text =
        String::from("---\npretty_name: Judgments of response pairs, for training a GenRM\nlanguage:\n- en\n");
    text.push_str("task_categories:\n- text-generation\ntags:\n- reward-model\n- preference\n- grm\nconfigs:\n");
    for set in manifest.sets.keys() {
        let name = set.as_str();
        let _ = write!(
            text,
            "- config_name: {name}\n  data_files:\n  - split: train\n    path: parquet/{name}/*.parquet\n"
        );
    }
    text.push_str("---\n\n# Judgments of response pairs\n\n");
    let _ = write!(
        text,
        "Training records for a generative reward model, made by grm {} from the run `{}` and written for {} to train `{}`.\n\n",
        manifest.program,
        manifest.source.run,
        manifest.engine.as_str(),
        manifest.base_model
    );
    text.push_str("| file | records | tokens | longest | left out |\n|---|---|---|---|---|\n");
    for (set, counts) in &manifest.sets {
        let left_out: usize = counts.left_out.values().sum();
        let _ = writeln!(
            text,
            "| data/grm_{}.jsonl | {} | {} | {} | {left_out} |",
            set.as_str(),
            counts.records,
            counts.tokens.total,
            counts.tokens.max
        );
    }
    for (set, counts) in &manifest.sets {
        let _ = write!(text, "\n## {}\n\n", set.as_str().to_uppercase());
        listing(&mut text, "By kind of media", counts.modalities.iter());
        listing(&mut text, "By form", counts.forms.iter());
        let reasons: Vec<(String, usize)> =
            counts.left_out.iter().map(|(reason, &count)| (reason.explanation().to_owned(), count)).collect();
        listing(&mut text, "Left out", reasons.iter().map(|(reason, count)| (reason, count)));
    }
    text.push_str(
        "\n## Use\n\n`bash run.sh` trains and brings the result back; `grm export check .` looks for faults; in Python:\n\n\
         ```python\nfrom datasets import load_dataset\n",
    );
    for set in manifest.sets.keys().copied().collect::<Vec<Set>>() {
        let _ = writeln!(text, "{0} = load_dataset(\".\", \"{0}\", split=\"train\")", set.as_str());
    }
    text.push_str(
        "```\n\nPaths of media in the tables are relative to this folder. Licence and origin are those of the pairs the run was \
         made from: add them before you publish this.\n",
    );
    text
}

fn listing<'a>(text: &mut String, title: &str, counts: impl Iterator<Item = (&'a String, &'a usize)>) {
    let counts: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
    if !counts.is_empty() {
        let _ = writeln!(text, "{title}: {}.", counts.join(", "));
    }
}
