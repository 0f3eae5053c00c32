//! Fits a reward head on frozen features and measures it on held-out pairs.
//!
//! ```text
//! cargo run --release -p grm-local --example fit_head -- \
//!     --form chat-last-mean-1 --cache features.bin --test test.jsonl --out head.safetensors train.jsonl more.jsonl
//! ```
//!
//! Training lines are `{"prompt", "chosen", "rejected"}`. In the test file `prompt_first_turn`, where present, is used
//! as the prompt. `--columns A..B` fits on these features alone, to compare parts of a form. `--pairs N` takes the first N lines of each training file; without `--test` and `--out` only the
//! cross-validated figures are printed.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its results")]

use std::{env, error::Error, fs, path::Path, path::PathBuf, time::Instant};

use grm_core::{Prompt, Response};
use grm_local::{EngineConfig, FeatureProgress, Head, HiddenStates, Places, TextForm, features, resolve};
use grm_train::frozen::{Frozen, FrozenConfig, Pairs, fit};

#[derive(Default)]
struct Options {
    form: Option<TextForm>,
    cache: PathBuf,
    test: Option<PathBuf>,
    out: Option<PathBuf>,
    pairs: Option<usize>,
    threads: Option<u32>,
    columns: Option<(usize, usize)>,
    train: Vec<PathBuf>,
}

struct Pair {
    prompt: String,
    chosen: String,
    rejected: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let form = options.form.ok_or("--form is needed")?;
    let model = resolve("smollm2-135m", &Places::from_environment(), None)?;
    let states = HiddenStates::load(EngineConfig {
        context_tokens: Some(16_384),
        slots: 16,
        threads: options.threads,
        ..EngineConfig::new(model)
    })?;

    let mut training = Vec::new();
    for path in &options.train {
        let mut pairs = read_pairs(path, "prompt")?;
        pairs.truncate(options.pairs.unwrap_or(usize::MAX));
        training.extend(pairs);
    }
    let (mut chosen, mut rejected) = read_features(&states, form, &training, &options.cache).await?;
    if let Some((first, end)) = options.columns {
        for row in chosen.iter_mut().chain(&mut rejected) {
            *row = row[first..end].to_vec();
        }
    }
    let groups: Vec<u64> = training.iter().map(|pair| group(&pair.prompt)).collect();
    let started = Instant::now();
    let fitted = fit(Pairs { chosen: &chosen, rejected: &rejected, groups: &groups }, &FrozenConfig::default())?;
    report_fit(form, &training, &fitted);
    println!("fitted in {:.1} s", started.elapsed().as_secs_f64());

    let head = Head {
        name: "disrm-smollm2-135m".into(),
        base: "SmolLM2-135M-Instruct Q4_1".into(),
        base_sha256: states.model().sha256.clone(),
        form,
        weights: fitted.weights,
    };
    if let Some(test) = &options.test {
        let pairs = read_pairs(test, "prompt_first_turn")?;
        let (chosen, rejected) = read_features(&states, form, &pairs, &options.cache).await?;
        report_test(&head, &pairs, &chosen, &rejected);
    }
    if let Some(out) = &options.out {
        fs::write(out, head.to_bytes())?;
        println!("wrote {}", out.display());
    }
    Ok(())
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options::default();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--form" => options.form = Some(TextForm::from_name(&value()?).ok_or("no such form")?),
            "--cache" => options.cache = value()?.into(),
            "--test" => options.test = Some(value()?.into()),
            "--out" => options.out = Some(value()?.into()),
            "--columns" => {
                let value = value()?;
                let (first, end) = value.split_once("..").ok_or("--columns FIRST..END")?;
                options.columns = Some((first.parse()?, end.parse()?));
            }
            "--threads" => options.threads = Some(value()?.parse()?),
            "--pairs" => options.pairs = Some(value()?.parse()?),
            _ => options.train.push(argument.into()),
        }
    }
    Ok(options)
}

fn read_pairs(path: &Path, prompt_key: &str) -> Result<Vec<Pair>, Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    let mut pairs = Vec::new();
    for (line, record) in text.lines().enumerate() {
        let record: serde_json::Value = serde_json::from_str(record)?;
        let field = |name: &str| record[name].as_str().map(str::to_owned);
        let place = || format!("{}:{}: a field is missing", path.display(), line + 1);
        pairs.push(Pair {
            prompt: field(prompt_key).or_else(|| field("prompt")).ok_or_else(place)?,
            chosen: field("chosen").ok_or_else(place)?,
            rejected: field("rejected").ok_or_else(place)?,
        });
    }
    Ok(pairs)
}

async fn read_features(
    states: &HiddenStates,
    form: TextForm,
    pairs: &[Pair],
    cache: &Path,
) -> Result<(Vec<Vec<f32>>, Vec<Vec<f32>>), Box<dyn Error>> {
    let texts: Vec<(Prompt, Response)> = pairs
        .iter()
        .flat_map(|pair| {
            [&pair.chosen, &pair.rejected].map(|text| (Prompt::from_text(&pair.prompt), Response::from_text(text)))
        })
        .collect();
    let started = Instant::now();
    let report = |FeatureProgress { done, total, cut }: FeatureProgress| {
        if done % 500 == 0 || done == total {
            eprintln!("{done} of {total} texts, {cut} cut, {:.0} s", started.elapsed().as_secs_f64());
        }
    };
    let rows = features(states, form, &texts, cache, report).await?;
    let stats = states.stats().await?;
    eprintln!("prompt tokens computed {}, reused {}", stats.prompt_tokens_computed, stats.prompt_tokens_reused);
    let (chosen, rejected): (Vec<_>, Vec<_>) =
        rows.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).unzip();
    Ok((chosen, rejected))
}

fn group(prompt: &str) -> u64 {
    let hash = blake3::hash(prompt.as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes"))
}

fn report_fit(form: TextForm, pairs: &[Pair], fitted: &Frozen) {
    println!("form {}, {} pairs, training accuracy {:.4}", form.name(), pairs.len(), fitted.training_accuracy);
    for row in &fitted.validation {
        let mark = if row.lambda.to_bits() == fitted.lambda.to_bits() { "  <- chosen" } else { "" };
        println!("  lambda {:<8} folds: loss {:.4} accuracy {:.4}{mark}", row.lambda, row.loss, row.accuracy);
    }
}

fn report_test(head: &Head, pairs: &[Pair], chosen: &[Vec<f32>], rejected: &[Vec<f32>]) {
    let half = |order: std::cmp::Ordering| match order {
        std::cmp::Ordering::Greater => 1.0,
        std::cmp::Ordering::Equal => 0.5,
        std::cmp::Ordering::Less => 0.0,
    };
    let right: f64 = chosen
        .iter()
        .zip(rejected)
        .map(|(chosen, rejected)| half(head.score(chosen).total_cmp(&head.score(rejected))))
        .sum();
    let longer: f64 =
        pairs.iter().map(|pair| half(pair.chosen.chars().count().cmp(&pair.rejected.chars().count()))).sum();
    print_share("held-out accuracy", right, pairs.len());
    print_share("longer wins", longer, pairs.len());
    print_share("shorter wins", pairs.len() as f64 - longer, pairs.len());
}

/// A share with its 95 % Wilson interval.
fn print_share(what: &str, right: f64, count: usize) {
    let (count, z) = (count as f64, 1.959_964);
    let share = right / count;
    let centre = (share + z * z / (2.0 * count)) / (1.0 + z * z / count);
    let half = z / (1.0 + z * z / count) * (share * (1.0 - share) / count + z * z / (4.0 * count * count)).sqrt();
    println!("{what}: {:.1} % [{:.1}, {:.1}]", 100.0 * share, 100.0 * (centre - half), 100.0 * (centre + half));
}
