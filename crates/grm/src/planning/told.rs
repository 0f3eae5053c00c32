//! The plan for people: every number with the line it comes from.

use std::fmt::Write as _;

use super::{Measured, PaperSize, PlanSettings, paper_size::StepSize};
use crate::metrics::share;

/// The whole text.
pub(crate) fn told(measured: &Measured, size: &PaperSize, wanted: &PlanSettings) -> String {
    let mut text = String::new();
    pilot(&mut text, measured);
    pairs(&mut text, measured, size, wanted);
    calls(&mut text, size);
    tokens(&mut text, size);
    time(&mut text, size, wanted);
    money(&mut text, size, wanted);
    training(&mut text, size, wanted);
    text
}

fn pilot(text: &mut String, measured: &Measured) {
    let Measured { folder, verb, pairs, failed, sft, dpo, easy, hard } = measured;
    let _ = writeln!(text, "pilot {}: {pairs} pairs through grm {verb}, {failed} more failed", folder.display());
    let _ = writeln!(text, "  easy, right at first   {}", share(easy.pairs, *pairs));
    let _ = writeln!(text, "  hard, explored         {}", share(hard.pairs, *pairs));
    let _ = writeln!(text, "  gave an SFT example    {}", share(*sft, *pairs));
    let _ = writeln!(text, "  gave a DPO pair        {}", share(*dpo, *pairs));
}

fn pairs(text: &mut String, measured: &Measured, size: &PaperSize, wanted: &PlanSettings) {
    let _ = writeln!(text, "\npairs");
    for need in &size.needs {
        let between = match need.between {
            (low, Some(high)) => format!("between {} and {}", grouped(low), grouped(high)),
            (low, None) => format!("at least {}", grouped(low)),
        };
        let _ = writeln!(
            text,
            "  {} {} = {} × {} / {} = {} pairs (by the interval of that share {between})",
            grouped(need.wanted),
            need.what,
            grouped(need.wanted),
            measured.pairs,
            need.gave,
            grouped(need.pairs)
        );
    }
    let why = if wanted.pairs.is_some() { "as given" } else { "the most that is needed" };
    let _ = writeln!(
        text,
        "  {} pairs, {why}: {} easy + {} hard",
        grouped(size.pairs),
        grouped(size.easy),
        grouped(size.hard)
    );
}

fn calls(text: &mut String, size: &PaperSize) {
    let _ = writeln!(text, "\ncalls = easy pairs × calls of an easy pair + hard pairs × calls of a hard pair");
    for StepSize { step, calls_per_pair: [easy, hard], whole, .. } in &size.steps {
        let _ = writeln!(
            text,
            "  {step:<11} {:>11} = {} × {easy:.2} + {} × {hard:.2}",
            grouped(whole.calls),
            grouped(size.easy),
            grouped(size.hard)
        );
    }
    let _ = writeln!(text, "  chat        {:>11}", grouped(size.chat_calls));
    let _ = writeln!(text, "  scores      {:>11}", grouped(size.scores));
}

fn tokens(text: &mut String, size: &PaperSize) {
    let _ = writeln!(text, "\ntokens = calls × tokens of a call, as the pilot's engine counted them");
    for StepSize { step, tokens_per_call: [prompt, reply], whole, .. } in &size.steps {
        if whole.prompt_tokens + whole.reply_tokens > 0 {
            let _ = writeln!(
                text,
                "  {step:<11} {:>15} in (about {prompt:.0} a call) {:>14} out (about {reply:.0} a call)",
                grouped(whole.prompt_tokens),
                grouped(whole.reply_tokens)
            );
        }
    }
    let fresh = size.prompt_tokens - size.cached_tokens;
    let _ = writeln!(
        text,
        "  in   {} - {} found in a prefix cache = {}",
        grouped(size.prompt_tokens),
        grouped(size.cached_tokens),
        grouped(fresh)
    );
    let _ = writeln!(text, "  out  {}", grouped(size.reply_tokens));
}

fn time(text: &mut String, size: &PaperSize, wanted: &PlanSettings) {
    let speed = &wanted.speed;
    let _ = writeln!(text, "\ntime");
    match (size.chat_hours, speed.prompt_tokens_per_second, speed.reply_tokens_per_second) {
        (Some([reading, writing]), Some(prompt), Some(reply)) => {
            let (servers, gpus) = (speed.servers.unwrap_or(1), speed.gpus_per_server.unwrap_or(1));
            let both = reading + writing;
            let fresh = size.prompt_tokens - size.cached_tokens;
            let _ = writeln!(text, "  in   {} / {prompt} a second / 3600 = {reading:.1} server-hours", grouped(fresh));
            let _ = writeln!(
                text,
                "  out  {} / {reply} a second / 3600 = {writing:.1} server-hours",
                grouped(size.reply_tokens)
            );
            let _ = writeln!(
                text,
                "  chat {both:.1} server-hours × {gpus} GPUs = {:.1} GPU-hours; on {servers} servers {:.1} hours",
                both * gpus as f64,
                both / servers as f64
            );
        }
        _ => {
            let _ = writeln!(
                text,
                "  chat: not known; give --prompt-tokens-per-second and --reply-tokens-per-second of one server (its log shows both)"
            );
        }
    }
    match (size.score_hours, speed.scores_per_second) {
        (Some(hours), Some(scores)) => {
            let _ = writeln!(text, "  scores {} / {scores} a second / 3600 = {hours:.1} hours", grouped(size.scores));
        }
        _ => {
            let _ = writeln!(text, "  scores: not known; give --scores-per-second");
        }
    }
}

fn money(text: &mut String, size: &PaperSize, wanted: &PlanSettings) {
    let speed = &wanted.speed;
    let _ = writeln!(text, "\ncost");
    let by_hour = size.chat_gpu_hours(speed).zip(speed.gpu_hour_price);
    if let Some((hours, price)) = by_hour {
        let _ = writeln!(text, "  chat by the hour {hours:.1} × {price} = {:.2}", hours * price);
    }
    let by_token = speed.million_prompt_tokens_price.zip(speed.million_reply_tokens_price);
    if let Some((input, output)) = by_token {
        let millions = [size.prompt_tokens, size.reply_tokens].map(|tokens| tokens as f64 / 1e6);
        let _ = writeln!(
            text,
            "  chat by the token {:.1} million in × {input} + {:.1} million out × {output} = {:.2}",
            millions[0],
            millions[1],
            millions[0] * input + millions[1] * output
        );
    }
    if by_hour.is_none() && by_token.is_none() {
        let _ = writeln!(
            text,
            "  not known; give --gpu-hour-price with the speeds above, or prices of a million tokens in [plan.speed]"
        );
    }
}

fn training(text: &mut String, size: &PaperSize, wanted: &PlanSettings) {
    let training = &wanted.training;
    let (Some([sft, dpo]), Some(gpus), Some(batch), Some(accumulation)) =
        (size.updates, training.gpus, training.batch, training.accumulation)
    else {
        return;
    };
    let _ = writeln!(
        text,
        "\ntraining, one epoch, {gpus} GPUs × {batch} examples × {accumulation} micro-batches an update"
    );
    let _ = writeln!(
        text,
        "  SFT {} examples = {sft} updates; DPO {} pairs = {dpo} updates",
        grouped(wanted.sft_examples.unwrap_or(0)),
        grouped(wanted.dpo_pairs.unwrap_or(0))
    );
    match size.training_gpu_hours {
        Some([sft, dpo]) => {
            let _ = writeln!(text, "  SFT {sft:.1} + DPO {dpo:.1} = {:.1} GPU-hours", sft + dpo);
        }
        None => {
            let _ = writeln!(
                text,
                "  hours: not known; put sft_examples_per_second and dpo_pairs_per_second into [plan.training]"
            );
        }
    }
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
