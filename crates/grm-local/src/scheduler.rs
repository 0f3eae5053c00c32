//! Who computes what, and when: pure bookkeeping that knows nothing of llama.cpp.
//!
//! Calls about one pair share a long prefix (instructions, prompt, both responses) and differ in a short tail. The
//! scheduler computes such a prefix once, lets every call that needs it wait for it and then fork it, and keeps it until
//! the room is needed. A call is admitted only when the cells for its tail and its whole reply are set aside, so a
//! decode never runs out of room; least recently used prefixes make way first.
//!
//! ```text
//! submit → queue → (prefix being computed) → prompt → reply → finish
//! ```

use std::collections::{BTreeMap, VecDeque};

use crate::cells::{Cells, SequenceId};

/// A token's number in the vocabulary.
pub(crate) type Token = i32;

/// A call's number, in order of arrival.
pub(crate) type JobId = u64;

/// A shared prefix shorter than this is not worth a sequence of its own.
const SHARED_TOKENS_MIN: usize = 16;

/// What a call asks of the cache.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// The whole prompt; never empty.
    pub(crate) prompt: Vec<Token>,
    /// Leading tokens other calls share.
    pub(crate) shared: usize,
    /// Leading tokens that may be taken from the cache; the outputs of all others are wanted.
    pub(crate) reusable: usize,
    /// Most tokens of the reply; their cells are set aside.
    pub(crate) reply_tokens_max: usize,
}

/// A change to the cache, to be made before the next batch, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheChange {
    Fork { from: SequenceId, to: SequenceId, length: usize },
    Cut { sequence: SequenceId, length: usize },
    Remove { sequence: SequenceId },
}

/// Consecutive tokens of one sequence in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) sequence: SequenceId,
    /// Position of the first token.
    pub(crate) start: usize,
    pub(crate) tokens: Vec<Token>,
    /// The call this run belongs to and which outputs it reads; `None` for shared prefixes.
    pub(crate) reader: Option<Reader>,
}

/// Who reads a run's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) job: JobId,
    /// Index in the run of the first token whose output is wanted; all later ones are wanted too. The run's length
    /// while more of the prompt is to come.
    pub(crate) first_output: usize,
}

/// How much was computed and how much was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EngineStats {
    /// Prompt tokens run through the model.
    pub prompt_tokens_computed: u64,
    /// Prompt tokens taken from the cache instead.
    pub prompt_tokens_reused: u64,
    /// Tokens generated.
    pub generated: u64,
    /// Batches decoded.
    pub batches: u64,
    /// Tokens guessed from the prompt and confirmed, each saving a step.
    pub draft_tokens_accepted: u64,
    /// Tokens guessed from the prompt.
    pub draft_tokens_tried: u64,
}

#[derive(Debug)]
enum Stage {
    Queued,
    /// Waits for a prefix that is being computed.
    Prefix(SequenceId),
    Prompt(SequenceId),
    /// Generates; the last drawn token, and guesses of what follows it.
    Reply {
        sequence: SequenceId,
        next: Vec<Token>,
    },
}

#[derive(Debug)]
struct Admitted {
    job: Job,
    stage: Stage,
    /// Prompt tokens this call need not pay for.
    cached: usize,
    /// Tokens of the reply whose cells are filled.
    reply_tokens: usize,
}

/// A sequence in the cache: a resident prefix, or a call's own.
#[derive(Debug)]
struct Entry {
    /// The prompt tokens it holds or will hold.
    tokens: Vec<Token>,
    owner: Owner,
    last_used: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Nobody's: kept for calls to come, or being computed for calls that wait.
    Resident,
    Job(JobId),
}

/// Where a call's computation begins.
#[derive(Debug, Clone, Copy)]
enum Start {
    /// At the end of a resident prefix, which may still be being computed.
    Prefix(SequenceId),
    /// With a prefix of its own for others to share, after `length` tokens taken from elsewhere.
    NewPrefix { from: Option<SequenceId>, length: usize },
    /// With its own sequence, after `length` tokens taken from elsewhere.
    Prompt { from: Option<SequenceId>, length: usize },
}

impl Start {
    fn reused(self, job: &Job) -> usize {
        match self {
            Self::Prefix(_) => job.shared,
            Self::NewPrefix { length, .. } | Self::Prompt { length, .. } => length,
        }
    }
}

/// The state of one cache.
#[derive(Debug)]
pub(crate) struct Scheduler {
    cells: Cells,
    entries: Vec<Option<Entry>>,
    jobs: BTreeMap<JobId, Admitted>,
    queue: VecDeque<JobId>,
    changes: Vec<CacheChange>,
    slots: usize,
    sharing: bool,
    next_job: JobId,
    clock: u64,
    pub(crate) stats: EngineStats,
}

impl Scheduler {
    /// A scheduler for `cells` cells and `slots` calls at a time, with room for `residents` kept prefixes. Without
    /// `sharing` every call computes its whole prompt: for models whose state cannot be forked.
    pub(crate) fn new(cells: usize, slots: usize, residents: usize, sharing: bool) -> Self {
        let sequences = slots + residents;
        Self {
            cells: Cells::new(cells, sequences),
            entries: (0..sequences).map(|_| None).collect(),
            jobs: BTreeMap::new(),
            queue: VecDeque::new(),
            changes: Vec::new(),
            slots,
            sharing,
            next_job: 0,
            clock: 0,
            stats: EngineStats::default(),
        }
    }

    /// Takes a call in. The caller has checked that its prompt is not empty and that prompt and reply fit the cache.
    pub(crate) fn submit(&mut self, mut job: Job) -> JobId {
        job.reusable = job.reusable.min(job.prompt.len() - 1);
        job.shared = if self.sharing { job.shared.min(job.reusable) } else { 0 };
        let id = self.next_job;
        self.next_job += 1;
        self.jobs.insert(id, Admitted { job, stage: Stage::Queued, cached: 0, reply_tokens: 0 });
        self.queue.push_back(id);
        id
    }

    /// True when no call is in.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Prompt tokens call `id` took from the cache.
    pub(crate) fn cached(&self, id: JobId) -> usize {
        self.jobs.get(&id).map_or(0, |admitted| admitted.cached)
    }

    /// Admits what there is room for and lays out the next batch of up to `batch_tokens` tokens. The cache changes must
    /// be made before the batch is decoded.
    pub(crate) fn plan(&mut self, batch_tokens: usize) -> (Vec<CacheChange>, Vec<Run>) {
        self.clock += 1;
        self.start_waiting();
        while let Some(&id) = self.queue.front() {
            let running = self.jobs.len() - self.queue.len();
            if running >= self.slots || !self.admit(id) {
                break;
            }
            self.queue.pop_front();
        }
        let mut room = batch_tokens;
        let mut runs = self.reply_runs(&mut room);
        self.prefix_runs(&mut room, &mut runs);
        self.prompt_runs(&mut room, &mut runs);
        (std::mem::take(&mut self.changes), runs)
    }

    /// Records that the runs were decoded.
    pub(crate) fn decoded(&mut self, runs: &[Run]) {
        self.stats.batches += 1;
        for run in runs {
            self.cells.grow(run.sequence, run.tokens.len());
            let replying = run.reader.is_some_and(|reader| {
                self.jobs.get(&reader.job).is_some_and(|admitted| matches!(admitted.stage, Stage::Reply { .. }))
            });
            if !replying {
                self.stats.prompt_tokens_computed += run.tokens.len() as u64;
            }
        }
        self.start_waiting();
    }

    /// Keeps the first `kept` tokens of a call's last run and sets the token drawn after them, with guesses of what may
    /// follow it. `kept` is everything for a prompt, and 1 plus the confirmed guesses for a reply.
    pub(crate) fn drew(&mut self, id: JobId, run: &Run, kept: usize, drawn: Token, guesses: &[Token]) {
        let Some(admitted) = self.jobs.get_mut(&id) else { return };
        self.stats.generated += 1;
        if let Stage::Reply { .. } = admitted.stage {
            admitted.reply_tokens += kept;
            self.stats.generated += kept as u64 - 1;
            self.stats.draft_tokens_accepted += kept as u64 - 1;
            self.stats.draft_tokens_tried += run.tokens.len() as u64 - 1;
        }
        if kept < run.tokens.len() {
            let length = run.start + kept;
            self.cells.cut(run.sequence, length);
            self.changes.push(CacheChange::Cut { sequence: run.sequence, length });
        }
        // The drawn token and all guesses must fit the cells set aside.
        let room = admitted.job.reply_tokens_max.saturating_sub(admitted.reply_tokens + 1);
        let next = [drawn].into_iter().chain(guesses.iter().copied().take(room)).collect();
        admitted.stage = Stage::Reply { sequence: run.sequence, next };
    }

    /// Ends a call, finished or cancelled, and frees what it held. A prompt without a declared prefix stays resident for
    /// calls that begin alike.
    pub(crate) fn finish(&mut self, id: JobId) {
        let Some(admitted) = self.jobs.remove(&id) else { return };
        self.queue.retain(|&queued| queued != id);
        let (Stage::Prompt(sequence) | Stage::Reply { sequence, .. }) = admitted.stage else { return };
        let length = self.cells.length(sequence).min(admitted.job.prompt.len());
        let keep = self.sharing && admitted.job.shared < SHARED_TOKENS_MIN && length >= SHARED_TOKENS_MIN;
        if !keep {
            self.remove(sequence);
            return;
        }
        if self.cells.length(sequence) > length {
            self.cells.cut(sequence, length);
            self.changes.push(CacheChange::Cut { sequence, length });
        }
        let entry = self.entries[sequence].as_mut().expect("a running call has an entry");
        entry.tokens.truncate(length);
        entry.owner = Owner::Resident;
        entry.last_used = self.clock;
    }

    /// Forgets everything, after a failed decode; returns the calls that were in.
    pub(crate) fn reset(&mut self) -> Vec<JobId> {
        let jobs = self.jobs.keys().copied().collect();
        let (total, sequences) = (self.cells.total(), self.entries.len());
        self.cells = Cells::new(total, sequences);
        self.entries = (0..sequences).map(|_| None).collect();
        self.jobs.clear();
        self.queue.clear();
        self.changes.clear();
        jobs
    }

    /// Moves calls whose prefix is ready to their own sequences.
    fn start_waiting(&mut self) {
        let ready: Vec<(JobId, SequenceId)> = self
            .jobs
            .iter()
            .filter_map(|(&id, admitted)| match admitted.stage {
                Stage::Prefix(prefix) if self.cells.length(prefix) >= admitted.job.shared => Some((id, prefix)),
                Stage::Queued | Stage::Prefix(_) | Stage::Prompt(_) | Stage::Reply { .. } => None,
            })
            .collect();
        for (id, prefix) in ready {
            let shared = self.jobs[&id].job.shared;
            self.touch(prefix);
            let prompt = self.jobs[&id].job.prompt.clone();
            // Every waiting call has a sequence set aside for it, see `admit`.
            let sequence = self.fork(Some(prefix), shared, prompt, Owner::Job(id)).expect("set aside at admission");
            self.jobs.get_mut(&id).expect("listed above").stage = Stage::Prompt(sequence);
        }
    }

    /// Gives a queued call its cells and sequences, evicting resident prefixes as needed; false when it must wait.
    fn admit(&mut self, id: JobId) -> bool {
        let job = self.jobs[&id].job.clone();
        loop {
            let start = self.best_start(&job);
            let needed = job.prompt.len() - start.reused(&job) + job.reply_tokens_max;
            let sequences = 1 + usize::from(matches!(start, Start::NewPrefix { .. }));
            if needed <= self.free_cells() && sequences <= self.free_sequences() {
                self.start(id, job, start);
                return true;
            }
            let keep = if let Start::Prefix(prefix) = start { Some(prefix) } else { None };
            if !self.evict(keep) {
                return false;
            }
        }
    }

    fn best_start(&self, job: &Job) -> Start {
        if let Some(prefix) = self.declared_prefix(job) {
            return Start::Prefix(prefix);
        }
        let (from, length) = self.longest_match(job).map_or((None, 0), |(from, length)| (Some(from), length));
        if job.shared >= SHARED_TOKENS_MIN && length < job.shared {
            Start::NewPrefix { from, length }
        } else {
            Start::Prompt { from, length }
        }
    }

    fn start(&mut self, id: JobId, job: Job, start: Start) {
        let reused = start.reused(&job);
        if let Start::NewPrefix { from: Some(from), .. } | Start::Prompt { from: Some(from), .. } = start {
            self.touch(from);
        }
        let stage = match start {
            Start::Prefix(prefix) => Stage::Prefix(prefix),
            Start::NewPrefix { from, length } => {
                let tokens = job.prompt[..job.shared].to_vec();
                Stage::Prefix(self.fork(from, length, tokens, Owner::Resident).expect("counted by the caller"))
            }
            Start::Prompt { from, length } => {
                Stage::Prompt(self.fork(from, length, job.prompt, Owner::Job(id)).expect("counted by the caller"))
            }
        };
        self.stats.prompt_tokens_reused += reused as u64;
        let admitted = self.jobs.get_mut(&id).expect("queued");
        admitted.stage = stage;
        admitted.cached = reused;
        self.start_waiting();
    }

    /// A resident sequence that holds, or will hold, exactly the prefix the call declares.
    fn declared_prefix(&self, job: &Job) -> Option<SequenceId> {
        if job.shared < SHARED_TOKENS_MIN {
            return None;
        }
        let shared = &job.prompt[..job.shared];
        self.live()
            .find(|(_, entry)| entry.owner == Owner::Resident && entry.tokens.starts_with(shared))
            .map(|(id, _)| id)
    }

    /// The sequence whose computed tokens agree longest with the prompt's start.
    fn longest_match(&self, job: &Job) -> Option<(SequenceId, usize)> {
        if !self.sharing {
            return None;
        }
        let matched = |id: SequenceId, entry: &Entry| {
            let agree = entry.tokens.iter().zip(&job.prompt).take_while(|(left, right)| left == right).count();
            agree.min(self.cells.length(id)).min(job.reusable)
        };
        let mut best: Option<(SequenceId, usize)> = None;
        for (id, entry) in self.live() {
            let length = matched(id, entry);
            if length > best.map_or(0, |(_, longest)| longest) {
                best = Some((id, length));
            }
        }
        best
    }

    /// Cells neither in use nor set aside.
    fn free_cells(&self) -> usize {
        let prefixes: usize = self
            .live()
            .filter(|(_, entry)| entry.owner == Owner::Resident)
            .map(|(id, entry)| entry.tokens.len() - self.cells.length(id))
            .sum();
        let calls: usize = self
            .jobs
            .values()
            .map(|Admitted { job, stage, .. }| match *stage {
                Stage::Queued => 0,
                Stage::Prefix(_) => job.prompt.len() - job.shared + job.reply_tokens_max,
                Stage::Prompt(sequence) | Stage::Reply { sequence, .. } => {
                    job.prompt.len() + job.reply_tokens_max - self.cells.length(sequence)
                }
            })
            .sum();
        self.cells.total().saturating_sub(self.cells.used() + prefixes + calls)
    }

    /// Sequences neither in use nor set aside for calls that wait for a prefix.
    fn free_sequences(&self) -> usize {
        let waiting = self.jobs.values().filter(|admitted| matches!(admitted.stage, Stage::Prefix(_))).count();
        self.entries.iter().filter(|entry| entry.is_none()).count().saturating_sub(waiting)
    }

    /// Removes the least recently used resident prefix that nobody waits for; false when there is none but `keep`.
    fn evict(&mut self, keep: Option<SequenceId>) -> bool {
        let awaited = |id: SequenceId| {
            self.jobs.values().any(|admitted| matches!(admitted.stage, Stage::Prefix(prefix) if prefix == id))
        };
        let oldest = self
            .live()
            .filter(|&(id, entry)| entry.owner == Owner::Resident && Some(id) != keep && !awaited(id))
            .min_by_key(|(_, entry)| entry.last_used)
            .map(|(id, _)| id);
        oldest.map(|id| self.remove(id)).is_some()
    }

    fn reply_runs(&mut self, room: &mut usize) -> Vec<Run> {
        let mut runs = Vec::new();
        for (&id, admitted) in &self.jobs {
            if let Stage::Reply { sequence, next } = &admitted.stage {
                let tokens: Vec<Token> = next.iter().copied().take(*room).collect();
                *room -= tokens.len();
                if !tokens.is_empty() {
                    let start = self.cells.length(*sequence);
                    let reader = Some(Reader { job: id, first_output: 0 });
                    runs.push(Run { sequence: *sequence, start, tokens, reader });
                }
            }
        }
        runs
    }

    fn prefix_runs(&self, room: &mut usize, runs: &mut Vec<Run>) {
        let awaited = self.jobs.values().filter_map(|admitted| match admitted.stage {
            Stage::Prefix(prefix) => Some(prefix),
            Stage::Queued | Stage::Prompt(_) | Stage::Reply { .. } => None,
        });
        let mut seen = Vec::new();
        for prefix in awaited {
            if seen.contains(&prefix) {
                continue;
            }
            seen.push(prefix);
            let entry = self.entries[prefix].as_ref().expect("an awaited prefix is live");
            let start = self.cells.length(prefix);
            let end = entry.tokens.len().min(start + *room);
            if end > start {
                *room -= end - start;
                runs.push(Run { sequence: prefix, start, tokens: entry.tokens[start..end].to_vec(), reader: None });
            }
        }
    }

    fn prompt_runs(&self, room: &mut usize, runs: &mut Vec<Run>) {
        for (&id, admitted) in &self.jobs {
            let Stage::Prompt(sequence) = admitted.stage else { continue };
            let prompt = &admitted.job.prompt;
            let start = self.cells.length(sequence);
            let end = prompt.len().min(start + *room);
            if end > start {
                *room -= end - start;
                let first_output = if end == prompt.len() { end - start - 1 } else { end - start };
                let reader = Some(Reader { job: id, first_output });
                runs.push(Run { sequence, start, tokens: prompt[start..end].to_vec(), reader });
            }
        }
    }

    fn live(&self) -> impl Iterator<Item = (SequenceId, &Entry)> {
        self.entries.iter().enumerate().filter_map(|(id, entry)| entry.as_ref().map(|entry| (id, entry)))
    }

    fn touch(&mut self, id: SequenceId) {
        if let Some(entry) = &mut self.entries[id] {
            entry.last_used = self.clock;
        }
    }

    fn fork(
        &mut self,
        from: Option<SequenceId>,
        length: usize,
        tokens: Vec<Token>,
        owner: Owner,
    ) -> Option<SequenceId> {
        let to = self.cells.fork(from, length)?;
        self.entries[to] = Some(Entry { tokens, owner, last_used: self.clock });
        if let Some(from) = from.filter(|_| length > 0) {
            self.changes.push(CacheChange::Fork { from, to, length });
        }
        Some(to)
    }

    fn remove(&mut self, id: SequenceId) {
        self.cells.release(id);
        self.entries[id] = None;
        self.changes.push(CacheChange::Remove { sequence: id });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn job(prompt: impl IntoIterator<Item = Token>, shared: usize, reply_tokens_max: usize) -> Job {
        let prompt: Vec<Token> = prompt.into_iter().collect();
        Job { reusable: prompt.len(), prompt, shared, reply_tokens_max }
    }

    /// A prompt of `shared` tokens common to a pair, then `own` tokens of this call alone.
    fn pair_job(pair: Token, call: Token, shared: usize, own: usize, reply: usize) -> Job {
        let common = (0..).take(shared).map(move |token: Token| pair * 10_000 + token);
        let tail = (0..).take(own).map(move |token: Token| 1_000_000 * (call + 1) + token);
        job(common.chain(tail), shared, reply)
    }

    /// Plays the engine: a cache that holds real tokens, and replies of a set length.
    struct Played {
        scheduler: Scheduler,
        cells_total: usize,
        /// Each sequence's tokens, as llama.cpp would hold them.
        cache: BTreeMap<SequenceId, Vec<Token>>,
        wanted: BTreeMap<JobId, (Vec<Token>, usize)>,
        replies: BTreeMap<JobId, usize>,
        steps: usize,
    }

    const REPLY_TOKEN: Token = -1;

    impl Played {
        fn new(cells: usize, slots: usize, residents: usize) -> Self {
            Self {
                scheduler: Scheduler::new(cells, slots, residents, true),
                cells_total: cells,
                cache: BTreeMap::new(),
                wanted: BTreeMap::new(),
                replies: BTreeMap::new(),
                steps: 0,
            }
        }

        fn submit(&mut self, job: Job, reply_length: usize) -> JobId {
            let prompt = job.prompt.clone();
            let id = self.scheduler.submit(job);
            self.wanted.insert(id, (prompt, reply_length));
            id
        }

        /// One step of the engine; what it reads must be computed over exactly the call's own prompt and reply.
        fn step(&mut self, batch_tokens: usize) {
            self.steps += 1;
            let (changes, runs) = self.scheduler.plan(batch_tokens);
            changes.into_iter().for_each(|change| self.change(change));
            assert!(runs.iter().map(|run| run.tokens.len()).sum::<usize>() <= batch_tokens);
            for run in &runs {
                let held = self.cache.entry(run.sequence).or_default();
                assert_eq!(held.len(), run.start, "a run continues its sequence");
                held.extend(&run.tokens);
            }
            self.scheduler.decoded(&runs);
            assert!(self.scheduler.cells.used() <= self.cells_total);
            for run in &runs {
                self.read(run);
            }
        }

        fn change(&mut self, change: CacheChange) {
            match change {
                CacheChange::Fork { from, to, length } => {
                    let tokens = self.cache[&from][..length].to_vec();
                    assert!(self.cache.get(&to).is_none_or(Vec::is_empty), "a fork goes to an empty sequence");
                    self.cache.insert(to, tokens);
                }
                CacheChange::Cut { sequence, length } => {
                    self.cache.get_mut(&sequence).expect("live").truncate(length);
                }
                CacheChange::Remove { sequence } => {
                    self.cache.remove(&sequence);
                }
            }
        }

        fn read(&mut self, run: &Run) {
            let Some(reader) = run.reader.filter(|reader| reader.first_output < run.tokens.len()) else { return };
            let (prompt, length) = &self.wanted[&reader.job];
            let held = &self.cache[&run.sequence];
            assert_eq!(&held[..prompt.len()], prompt, "the call's own prompt is in its sequence");
            assert!(held[prompt.len()..].iter().all(|&token| token == REPLY_TOKEN));
            let done = self.replies.entry(reader.job).or_default();
            *done += 1;
            if *done == *length {
                self.scheduler.finish(reader.job);
                self.wanted.remove(&reader.job);
            } else {
                self.scheduler.drew(reader.job, run, run.tokens.len(), REPLY_TOKEN, &[]);
            }
        }

        fn run(&mut self, batch_tokens: usize) {
            while !self.scheduler.is_idle() {
                self.step(batch_tokens);
                assert!(self.steps < 10_000, "the scheduler makes progress");
            }
        }
    }

    #[test]
    fn a_shared_prefix_is_computed_once() {
        let mut played = Played::new(4096, 8, 4);
        for call in 0..10 {
            played.submit(pair_job(1, call, 500, 20, 30), 5);
        }
        played.run(256);
        let stats = played.scheduler.stats;
        assert_eq!(stats.prompt_tokens_computed, 500 + 10 * 20);
        assert_eq!(stats.prompt_tokens_reused, 9 * 500);
        assert_eq!(stats.generated, 10 * 4, "the last token of a reply is not reported as drawn");
    }

    #[test]
    fn calls_wait_for_a_prefix_that_is_being_computed() {
        let mut played = Played::new(4096, 8, 4);
        let first = played.submit(pair_job(1, 0, 100, 5, 5), 1);
        played.step(40);
        let second = played.submit(pair_job(1, 1, 100, 5, 5), 1);
        played.step(40);
        assert_eq!((played.scheduler.cached(first), played.scheduler.cached(second)), (0, 100));
        played.run(40);
        assert_eq!(played.scheduler.stats.prompt_tokens_computed, 110);
    }

    #[test]
    fn a_common_beginning_is_taken_from_another_pair() {
        let mut played = Played::new(4096, 4, 4);
        let system: Vec<Token> = (0..50).collect();
        let pair = |pair: Token| system.iter().copied().chain((0..100).map(move |token| 10_000 * pair + token));
        played.submit(job(pair(1).chain([7]), 150, 5), 1);
        played.run(64);
        let second = played.submit(job(pair(2).chain([7]), 150, 5), 1);
        played.step(64);
        assert_eq!(played.scheduler.cached(second), 50);
        played.run(64);
        assert_eq!(played.scheduler.stats.prompt_tokens_computed, 151 + 101);
    }

    #[test]
    fn a_prompt_without_declared_prefix_stays_for_the_next_that_begins_alike() {
        let mut played = Played::new(4096, 4, 4);
        let prompt: Vec<Token> = (0..60).collect();
        played.submit(job(prompt.clone(), 0, 5), 3);
        played.run(64);
        let again = played.submit(job(prompt, 0, 5), 3);
        played.step(64);
        assert_eq!(played.scheduler.cached(again), 59, "one token is computed for its output");
        played.run(64);
    }

    #[test]
    fn outputs_that_are_wanted_are_computed_even_when_cached() {
        let mut played = Played::new(4096, 4, 4);
        let prompt: Vec<Token> = (0..60).collect();
        played.submit(job(prompt.clone(), 0, 0), 1);
        played.run(64);
        let reading = Job { reusable: 20, ..job(prompt, 20, 2) };
        let id = played.submit(reading, 2);
        played.step(64);
        assert_eq!(played.scheduler.cached(id), 20);
        played.run(64);
    }

    #[test]
    fn old_prefixes_make_way_and_used_ones_stay() {
        let mut played = Played::new(700, 4, 8);
        for pair in 0..3 {
            played.submit(pair_job(pair, 0, 200, 10, 10), 1);
            played.run(64);
        }
        let touched = played.submit(pair_job(0, 1, 200, 10, 10), 2);
        played.step(64);
        assert_eq!(played.scheduler.cached(touched), 200);
        played.run(64);
        played.submit(pair_job(9, 0, 200, 10, 10), 1);
        played.run(64);
        let kept = played.submit(pair_job(0, 2, 200, 10, 10), 9);
        let evicted = played.submit(pair_job(1, 2, 200, 10, 10), 9);
        (0..2).for_each(|_| played.step(64));
        assert_eq!((played.scheduler.cached(kept), played.scheduler.cached(evicted)), (200, 0));
        played.run(64);
    }

    #[test]
    fn cells_for_the_whole_reply_are_set_aside() {
        let mut played = Played::new(100, 8, 4);
        for call in 0..4 {
            played.submit(job([call; 10], 0, 30), 30);
        }
        played.step(64);
        let running = played.scheduler.jobs.len() - played.scheduler.queue.len();
        assert_eq!(running, 2, "40 cells each of 100");
        played.run(64);
        assert_eq!(played.replies.len(), 4);
    }

    #[test]
    fn cancelling_frees_cells_and_sequences_at_every_stage() {
        let mut played = Played::new(1000, 2, 1);
        let calls: Vec<JobId> = (0..4).map(|call| played.submit(pair_job(1, call, 100, 30, 50), 40)).collect();
        played.step(40);
        for steps in [0, 3, 1, 0] {
            let id = *calls.iter().find(|id| played.wanted.contains_key(id)).expect("one is left");
            played.scheduler.finish(id);
            played.wanted.remove(&id);
            (0..steps).for_each(|_| played.step(40));
        }
        assert!(played.scheduler.is_idle());
        let residents: usize = played.scheduler.live().map(|(_, entry)| entry.tokens.len()).sum();
        assert_eq!(played.scheduler.live().count(), 1, "the prefix alone stays");
        assert!(played.scheduler.cells.used() <= residents);
        played.submit(job(0..900, 0, 50), 5);
        played.run(64);
    }

    #[test]
    fn a_short_declared_prefix_gets_no_sequence_of_its_own() {
        let mut played = Played::new(1000, 4, 4);
        played.submit(pair_job(1, 0, SHARED_TOKENS_MIN - 1, 40, 5), 2);
        played.run(64);
        assert_eq!(played.scheduler.live().count(), 1, "only the finished prompt is resident");
    }

    #[test]
    fn guesses_are_checked_in_one_step_and_the_wrong_ones_are_cut() {
        let mut scheduler = Scheduler::new(200, 2, 2, true);
        let id = scheduler.submit(job(0..20, 0, 10));
        let (_, runs) = scheduler.plan(64);
        scheduler.decoded(&runs);
        scheduler.drew(id, &runs[0], 20, 50, &[51, 52, 53]);
        let (_, runs) = scheduler.plan(64);
        assert_eq!((runs[0].start, runs[0].tokens.as_slice()), (20, &[50, 51, 52, 53][..]));
        scheduler.decoded(&runs);
        scheduler.drew(id, &runs[0], 2, 60, &[]);
        let (changes, runs) = scheduler.plan(64);
        assert_eq!(changes, [CacheChange::Cut { sequence: runs[0].sequence, length: 22 }]);
        assert_eq!((runs[0].start, runs[0].tokens.as_slice()), (22, &[60][..]));
        assert_eq!((scheduler.stats.draft_tokens_tried, scheduler.stats.draft_tokens_accepted), (3, 1));
    }

    #[test]
    fn guesses_never_exceed_the_cells_set_aside() {
        let mut scheduler = Scheduler::new(200, 2, 2, true);
        let id = scheduler.submit(job(0..20, 0, 3));
        let (_, runs) = scheduler.plan(64);
        scheduler.decoded(&runs);
        scheduler.drew(id, &runs[0], 20, 50, &[51, 52, 53, 54, 55]);
        let (_, runs) = scheduler.plan(64);
        assert_eq!(runs[0].tokens.len(), 3);
    }

    #[test]
    fn without_sharing_everything_is_computed() {
        let mut played = Played::new(4096, 4, 4);
        played.scheduler = Scheduler::new(4096, 4, 4, false);
        for call in 0..3 {
            played.submit(pair_job(1, call, 100, 10, 5), 2);
        }
        played.run(64);
        assert_eq!(played.scheduler.stats.prompt_tokens_computed, 330);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn every_call_is_answered_over_its_own_tokens(
            calls in proptest::collection::vec((0..4, 0_usize..80, 1_usize..30, 1_usize..20, 0_usize..3, any::<bool>()), 1..40),
            cells in 130_usize..400, slots in 1_usize..6, residents in 1_usize..5, batch in 8_usize..64,
        ) {
            let mut played = Played::new(cells, slots, residents);
            let mut submitted = BTreeSet::new();
            for (number, (pair, shared, own, reply, steps, cancel)) in (0..).zip(calls) {
                let id = played.submit(pair_job(pair, number, shared, own, reply), reply);
                submitted.insert(id);
                (0..steps).for_each(|_| played.step(batch));
                if cancel && number % 5 == 0 {
                    played.scheduler.finish(id);
                    played.wanted.remove(&id);
                }
            }
            played.run(batch);
            prop_assert!(played.wanted.is_empty());
        }
    }
}
