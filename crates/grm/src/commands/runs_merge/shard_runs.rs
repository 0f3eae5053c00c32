//! Shards that belong together: the same recipe, input and models, all there and all finished.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::{
    recipe::Recipe,
    run::{Manifest, differences, read_manifest},
    shards::Shard,
};

/// All shards of one run, in order.
pub(super) struct ShardRuns {
    folders: Vec<PathBuf>,
    /// What they have in common, without the shard.
    pub(super) recipe: Recipe,
    /// The first one's, which is the whole run's.
    pub(super) manifest: Manifest,
}

struct ShardRun {
    folder: PathBuf,
    shard: Shard,
    recipe: Recipe,
    manifest: Manifest,
}

impl ShardRuns {
    /// Reads and compares; what does not fit is named.
    pub(super) fn read(folders: &[PathBuf]) -> anyhow::Result<Self> {
        let mut runs = folders.iter().map(|folder| ShardRun::read(folder)).collect::<anyhow::Result<Vec<_>>>()?;
        runs.sort_by_key(|run| run.shard.index());
        complete(&runs)?;
        let (first, others) = runs.split_first().context("no shard is named")?;
        for other in others {
            first.expect_same(other)?;
        }
        if let Some(run) = runs.iter().find(|run| !run.manifest.complete) {
            let (folder, shard) = (run.folder.display(), run.shard);
            bail!("{folder} (shard {shard}) is not finished; run its command again, or: grm runs resume {folder}");
        }
        let (recipe, manifest) = (first.whole(), first.manifest.clone());
        Ok(Self { folders: runs.into_iter().map(|run| run.folder).collect(), recipe, manifest })
    }

    pub(super) fn count(&self) -> usize {
        self.folders.len()
    }

    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(PathBuf::as_path)
    }

    /// The shard that counted what could not be used.
    pub(super) fn first(&self) -> &Path {
        &self.folders[0]
    }

    /// A file or folder of every shard, in the shards' order.
    pub(super) fn files(&self, name: &str) -> Vec<PathBuf> {
        self.folders().map(|folder| folder.join(name)).collect()
    }

    /// True when a recipe on disk is not the whole run's.
    pub(super) fn differs(&self, recipe: &Path) -> anyhow::Result<bool> {
        Ok(!differences(&Recipe::read(recipe)?, &self.recipe)?.is_empty())
    }
}

impl ShardRun {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let manifest = read_manifest(folder)?;
        let recipe = Recipe::read(&folder.join("recipe.toml"))?;
        let Some(shard) = recipe.data.shard else {
            bail!("{} is no shard: it was run without --shard i/n", folder.display());
        };
        Ok(Self { folder: folder.to_owned(), shard, recipe, manifest })
    }

    /// The recipe of the whole run.
    fn whole(&self) -> Recipe {
        let mut recipe = self.recipe.clone();
        recipe.data.shard = None;
        recipe
    }

    fn expect_same(&self, other: &Self) -> anyhow::Result<()> {
        let mut found = differences(&self.whole(), &other.whole())?;
        let data = |run: &Self| {
            let data = &run.recipe.data;
            format!("limit {:?}, texts up to {} bytes", data.limit, data.max_text_bytes)
        };
        let input = |run: &Self| format!("{} bytes, blake3 {}", run.manifest.input.bytes, run.manifest.input.blake3);
        let program = |run: &Self| format!("{} {}", run.manifest.program, run.manifest.commit.as_deref().unwrap_or(""));
        let models = |run: &Self| {
            let models = &run.manifest.models;
            let all = [&models.genrm, &models.policy, &models.disrm];
            all.map(|model| {
                model
                    .as_ref()
                    .map_or(String::new(), |model| format!("{} ({}) {}", model.name, model.revision, model.adapter))
            })
            .join(", ")
        };
        let verb = |run: &Self| run.manifest.verb.clone();
        type Fact<'a> = (&'a str, &'a dyn Fn(&ShardRun) -> String);
        let facts: [Fact; 5] =
            [("verb", &verb), ("input", &input), ("data", &data), ("models", &models), ("grm", &program)];
        for (name, fact) in facts {
            let (ours, theirs) = (fact(self), fact(other));
            if ours != theirs {
                found.push(format!("  - {name}: {ours}\n  + {name}: {theirs}"));
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        bail!(
            "{} and {} are not shards of one run:\n{}\nrun them with the same recipe, input and models",
            self.folder.display(),
            other.folder.display(),
            found.join("\n")
        )
    }
}

/// Every shard once.
fn complete(runs: &[ShardRun]) -> anyhow::Result<()> {
    let Some(first) = runs.first() else { return Ok(()) };
    let of = first.shard.of();
    if let Some(other) = runs.iter().find(|run| run.shard.of() != of) {
        let [one, two] = [first, other].map(|run| format!("{} is shard {}", run.folder.display(), run.shard));
        bail!("{one}, but {two}; shards of one run have the same n");
    }
    for pair in runs.windows(2) {
        if pair[0].shard == pair[1].shard {
            let [one, two] = [&pair[0], &pair[1]].map(|run| run.folder.display());
            bail!("{one} and {two} are both shard {}; name each shard once", pair[0].shard);
        }
    }
    let there = |index: u32| runs.iter().any(|run| run.shard.index() == index);
    let missing: Vec<String> = (0..of).filter(|index| !there(*index)).map(|index| format!("{index}/{of}")).collect();
    if !missing.is_empty() {
        bail!("shards {} are missing; run them with --shard, then merge all {of}", missing.join(", "));
    }
    Ok(())
}
